package worker

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// writeMetrics writes a report as OpenMetrics text, version 1.0.
func writeMetrics(out io.Writer, r tunnelfile.Report) {
	m := metrics{out: out, tunnel: label("tunnel", r.Name)}

	m.family("holdfast_state", "stateset", "", "What the tunnel is doing.")
	for _, s := range []tunnelfile.State{
		tunnelfile.Listening, tunnelfile.Offline, tunnelfile.Connecting, tunnelfile.Up, tunnelfile.Degraded,
		tunnelfile.Retrying, tunnelfile.Blocked, tunnelfile.Stopping,
	} {
		value := 0
		if s == r.State {
			value = 1
		}
		m.sample("", value, label("holdfast_state", string(s)))
	}
	m.family("holdfast_round_trip_seconds", "gauge", "seconds", "Last measured round trip to the server; absent while not known.")
	if r.RTT > 0 {
		m.sample("", r.RTT.Seconds())
	}
	m.family("holdfast_up_since_seconds", "gauge", "seconds", "When the SSH connection in use stood, since the epoch; absent while there is none.")
	if !r.UpSince.IsZero() {
		m.sample("", float64(r.UpSince.UnixNano())/float64(time.Second))
	}
	m.family("holdfast_reconnects", "counter", "", "SSH connections that stood after the first.")
	m.sample("_total", r.Reconnects)
	m.family("holdfast_held_connections", "gauge", "", "Local connections that wait for the SSH connection.")
	m.sample("", r.Held)

	forwards := func(suffix string, value func(tunnelfile.ForwardReport) any) {
		for _, f := range r.Forwards {
			m.sample(suffix, value(f), label("kind", string(f.Kind)), label("listen", f.Listen), label("target", f.Target))
		}
	}
	m.family("holdfast_forward_up", "gauge", "", "Whether the forward serves.")
	forwards("", func(f tunnelfile.ForwardReport) any {
		if f.State == tunnelfile.Up {
			return 1
		}
		return 0
	})
	m.family("holdfast_channels_open", "gauge", "", "Connections that run through the forward.")
	forwards("", func(f tunnelfile.ForwardReport) any { return f.ChannelsOpen })
	m.family("holdfast_channels", "counter", "", "Connections that ran through the forward.")
	forwards("_total", func(f tunnelfile.ForwardReport) any { return f.ChannelsTotal })
	m.family("holdfast_sent_bytes", "counter", "bytes", "Bytes into the tunnel, from this side to the server.")
	forwards("_total", func(f tunnelfile.ForwardReport) any { return f.BytesSent })
	m.family("holdfast_received_bytes", "counter", "bytes", "Bytes out of the tunnel.")
	forwards("_total", func(f tunnelfile.ForwardReport) any { return f.BytesReceived })

	// By the names that Go programs use, and without a label: they are the process's.
	fmt.Fprintf(out, "# TYPE go_goroutines gauge\n# HELP go_goroutines Goroutines of the process.\ngo_goroutines %d\n", runtime.NumGoroutine())
	fmt.Fprintln(out, "# EOF")
}

// metrics writes one metric family after the other.
type metrics struct {
	out    io.Writer
	tunnel string // label of every sample
	name   string // of the family under way
}

func (m *metrics) family(name, kind, unit, help string) {
	m.name = name
	fmt.Fprintf(m.out, "# TYPE %s %s\n", name, kind)
	if unit != "" {
		fmt.Fprintf(m.out, "# UNIT %s %s\n", name, unit)
	}
	fmt.Fprintf(m.out, "# HELP %s %s\n", name, help)
}

func (m *metrics) sample(suffix string, value any, labels ...string) {
	fmt.Fprintf(m.out, "%s%s{%s} %v\n", m.name, suffix, strings.Join(append([]string{m.tunnel}, labels...), ","), value)
}

// label is name="value", escaped.
func label(name, value string) string {
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value) + `"`
}
