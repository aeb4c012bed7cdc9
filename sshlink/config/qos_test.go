package config

import "testing"

func TestIPQoS(t *testing.T) {
	for _, c := range []struct {
		bare, value string
		unset       bool
		want        string
	}{
		{"lowdelay throughput", "lowdelay throughput", true, "lowdelay"}, // as ssh -N before 10.1
		{"af21 cs1", "cs3 cs4", false, "cs3"},
		{"af21 cs1", "none none", false, ""},
		{"af21 cs1", "none", false, ""},
		{"ef none", "ef none", true, ""}, // ef is for terminals
		{"ef none", "ef none", false, ""},
		{"ef none", "cs3 cs4", false, "cs4"},
		{"ef none", "cs3", false, "cs3"},
		{"", "none", true, ""}, // no ssh here
	} {
		o := &Options{resolution: resolution{values: answers{"ipqos": {c.value}}, bare: answers{"ipqos": {c.bare}}, unset: map[string]bool{"ipqos": c.unset}}}
		if got := o.IPQoS(); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
