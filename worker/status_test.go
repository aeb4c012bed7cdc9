package worker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

func TestDescribe(t *testing.T) {
	forward := func(text string, state tunnelfile.State, message string) tunnelfile.ForwardReport {
		return tunnelfile.ForwardReport{Kind: tunnelfile.RemoteForward, Text: text, State: state, Message: message}
	}
	well := forward("1", tunnelfile.Up, "")
	held := forward("9090 localhost:9090", tunnelfile.Degraded, "the server still holds port 9090")
	later := forward("9091 localhost:9091", tunnelfile.Retrying, "refused")
	up := keeper.Status{State: tunnelfile.Up}
	for _, c := range []struct {
		said     keeper.Status
		forwards []tunnelfile.ForwardReport
		rtt      time.Duration
		want     string
	}{
		{up, []tunnelfile.ForwardReport{well, well, well}, 12 * time.Millisecond, "up: 3 forwards, rtt 12 ms"},
		{up, []tunnelfile.ForwardReport{well}, 400 * time.Microsecond, "up: 1 forward, rtt 0.4 ms"},
		{up, nil, 0, "up: 0 forwards"},
		{up, []tunnelfile.ForwardReport{well, held}, time.Second, "degraded: RemoteForward 9090 localhost:9090: the server still holds port 9090"},
		{up, []tunnelfile.ForwardReport{held, held, well}, time.Second, "degraded: RemoteForward 9090 localhost:9090: the server still holds port 9090 (and 1 more of 3 forwards)"},
		{up, []tunnelfile.ForwardReport{well, later}, 0, "up: 2 forwards, 1 of them not there yet"},
		{keeper.Status{State: tunnelfile.Retrying, Text: "in 8s, connection refused"}, []tunnelfile.ForwardReport{held}, time.Second, "retrying: in 8s, connection refused"},
	} {
		if got := describe(pool.Join([]keeper.Status{c.said}), c.forwards, c.rtt).String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestSteady(t *testing.T) {
	for _, c := range []struct{ shown, measured, want time.Duration }{
		{0, 5, 5}, {100, 190, 100}, {100, 210, 210}, {100, 50, 100}, {100, 40, 40}, {100, 0, 0},
		{1, 9, 1}, {9, 1, 9}, {1, 12, 12}, {12, 1, 1},
	} {
		ms := time.Millisecond
		if got := steadyRTT(c.shown*ms, c.measured*ms); got != c.want*ms {
			t.Errorf("shown %d ms, measured %d ms: %v, want %d ms", c.shown, c.measured, got, c.want)
		}
	}
}

func TestDrainTime(t *testing.T) {
	for _, c := range []struct {
		key, value string
		want       time.Duration
	}{
		{"RestartSec", "1s", defaultDrain},
		{"TimeoutStopSec", "1min", time.Minute - drainMargin},
		{"TimeoutStopSec", "0.1s", 0},
		{"TimeoutSec", "30", 30*time.Second - drainMargin},
		{"TimeoutStopSec", "infinity", endlessDrain},
		{"TimeoutStopSec", "nonsense", defaultDrain},
	} {
		tunnel := tunnelfile.Tunnel{Service: []tunnelfile.Setting{{Key: c.key, Value: c.value}}}
		if got := drainTime(tunnel); got != c.want {
			t.Errorf("%s=%s: %v, want %v", c.key, c.value, got, c.want)
		}
	}
}

func TestExitStatus(t *testing.T) {
	problem := tunnelfile.Problem{Line: 3, Key: "X", Message: "no"}
	for _, c := range []struct {
		err  error
		want tunnelfile.ExitStatus
	}{
		{nil, 0},
		{problem, 78},
		{fmt.Errorf("wrapped: %w", tunnelfile.Problems{problem}), 78},
		{errors.New("LocalForward 5432: address already in use"), 1},
	} {
		if got := ExitStatus(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

func TestWordsForTheServiceManager(t *testing.T) {
	if got := text.OneLine("a\nREADY=1\r\n b"); got != "a READY=1 b" {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{
		"holdfast":               "holdfast",
		"127.0.0.1:80":           "holdfast-127.0.0.1_80",
		"/run/a b\n":             "holdfast-/run/a_b_",
		strings.Repeat("x", 400): "holdfast-" + strings.Repeat("x", 246),
	} {
		if got := fdName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
