package worker

import (
	"io"
	"runtime"
	"time"

	"github.com/holdfast/holdfast/internal/openmetrics"
	"github.com/holdfast/holdfast/tunnelfile"
)

// writeMetrics writes a report as OpenMetrics text, version 1.0.
func writeMetrics(out io.Writer, r tunnelfile.Report) {
	m := metrics{openmetrics.NewWriter(out), openmetrics.Label("tunnel", r.Name)}

	m.Family("holdfast_state", "stateset", "", "What the tunnel is doing.")
	for _, s := range []tunnelfile.State{
		tunnelfile.Listening, tunnelfile.Offline, tunnelfile.Connecting, tunnelfile.Up, tunnelfile.Degraded,
		tunnelfile.Retrying, tunnelfile.Blocked, tunnelfile.Stopping,
	} {
		value := 0
		if s == r.State {
			value = 1
		}
		m.sample("", value, openmetrics.Label("holdfast_state", string(s)))
	}
	m.Family("holdfast_round_trip_seconds", "gauge", "seconds", "Last measured round trip to the server; absent while not known.")
	if r.RTT > 0 {
		m.sample("", r.RTT.Seconds())
	}
	m.Family("holdfast_up_since_seconds", "gauge", "seconds", "When the SSH connection in use stood, since the epoch; absent while there is none.")
	if !r.UpSince.IsZero() {
		m.sample("", float64(r.UpSince.UnixNano())/float64(time.Second))
	}
	m.Family("holdfast_reconnects", "counter", "", "SSH connections that stood after the first.")
	m.sample("_total", r.Reconnects)
	m.Family("holdfast_connections", "gauge", "", "SSH connections that are up.")
	m.sample("", r.Connections)
	m.Family("holdfast_connections_wanted", "gauge", "", "SSH connections that the tunnel's file asks for.")
	m.sample("", r.ConnectionsWanted)
	m.Family("holdfast_held_connections", "gauge", "", "Local connections that wait for the SSH connection.")
	m.sample("", r.Held)

	forwards := func(suffix string, value func(tunnelfile.ForwardReport) any) {
		for _, f := range r.Forwards {
			m.sample(suffix, value(f), openmetrics.Label("kind", string(f.Kind)), openmetrics.Label("listen", f.Listen), openmetrics.Label("target", f.Target))
		}
	}
	m.Family("holdfast_forward_up", "gauge", "", "Whether the forward serves.")
	forwards("", func(f tunnelfile.ForwardReport) any {
		if f.State == tunnelfile.Up {
			return 1
		}
		return 0
	})
	m.Family("holdfast_channels_open", "gauge", "", "Connections that run through the forward.")
	forwards("", func(f tunnelfile.ForwardReport) any { return f.ChannelsOpen })
	m.Family("holdfast_channels", "counter", "", "Connections that ran through the forward.")
	forwards("_total", func(f tunnelfile.ForwardReport) any { return f.ChannelsTotal })
	m.Family("holdfast_sent_bytes", "counter", "bytes", "Bytes into the tunnel, from this side to the server.")
	forwards("_total", func(f tunnelfile.ForwardReport) any { return f.BytesSent })
	m.Family("holdfast_received_bytes", "counter", "bytes", "Bytes out of the tunnel.")
	forwards("_total", func(f tunnelfile.ForwardReport) any { return f.BytesReceived })

	// By the names that Go programs use, and without a label: they are the process's.
	m.Family("go_goroutines", "gauge", "", "Goroutines of the process.")
	m.Sample("", runtime.NumGoroutine())
	m.End()
}

// metrics puts the tunnel's name on every sample of ours.
type metrics struct {
	*openmetrics.Writer
	tunnel string // label
}

func (m metrics) sample(suffix string, value any, labels ...string) {
	m.Sample(suffix, value, append([]string{m.tunnel}, labels...)...)
}
