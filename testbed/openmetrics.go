package testbed

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// MetricFamily is a metric family as a scraper reads it.
type MetricFamily struct {
	Name, Type, Unit, Help string
	Samples                []MetricSample
}

// MetricSample is one sample of a family.
type MetricSample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// python is Debian's own, which has the modules of Debian's packages. Another one may come first in
// PATH.
const python = "/usr/bin/python3"

// ParseOpenMetrics reads OpenMetrics text with the parser of Prometheus' own client library,
// which refuses what the specification forbids.
func ParseOpenMetrics(t testing.TB, text string) map[string]MetricFamily {
	t.Helper()
	Need(t, python)
	if exec.Command(python, "-c", "import prometheus_client").Run() != nil {
		NotHere(t, "missing: prometheus_client of Python (testbed/install installs what the tests need)")
	}
	parse := exec.Command(python, "-c", `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps([{"Name": f.name, "Type": f.type, "Unit": f.unit, "Help": f.documentation,
    "Samples": [{"Name": s.name, "Labels": s.labels, "Value": s.value} for s in f.samples]}
    for f in parse(sys.stdin.read())]))`)
	parse.Stdin = strings.NewReader(text)
	var complaint strings.Builder
	parse.Stderr = &complaint
	out, err := parse.Output()
	if err != nil {
		t.Fatalf("no OpenMetrics: %v\n%s\n%s", err, complaint.String(), text)
	}
	var families []MetricFamily
	if err := json.Unmarshal(out, &families); err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]MetricFamily)
	for _, f := range families {
		byName[f.Name] = f
	}
	return byName
}

// Value returns the value of the only sample with these labels, NAME=VALUE each. ok is false if
// there is none, or more than one.
func (f MetricFamily) Value(labels ...string) (value float64, ok bool) {
	for _, s := range f.Samples {
		all := true
		for _, l := range labels {
			name, want, _ := strings.Cut(l, "=")
			all = all && s.Labels[name] == want
		}
		if all && ok {
			return 0, false // more than one
		}
		if all {
			value, ok = s.Value, true
		}
	}
	return value, ok
}
