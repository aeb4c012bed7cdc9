// Package metrics has the metric families of tunnels. Each is defined once, both for the metrics of
// one tunnel and for "holdfast metrics", which has those of all tunnels.
package metrics

import (
	"time"

	"github.com/holdfast/holdfast/internal/openmetrics"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Tunnel is what is known of a tunnel.
type Tunnel struct {
	Name     string
	Info     *Info // nil: not known
	State    tunnelfile.State
	UpSince  time.Time // zero: there is no SSH connection
	Forwards []Forward
	Counts   *Counts // nil: it does not run
}

// Info is what a tunnel's file says about it.
type Info struct {
	Destination, Description string
	Start                    tunnelfile.StartMode
}

// Forward identifies a forward, and has its state.
type Forward struct {
	Kind, Listen, Target string
	State                tunnelfile.State
}

// Counts is what a running tunnel counts.
type Counts struct {
	RTT                            time.Duration // 0: not known
	Reconnects                     uint64
	Connections, ConnectionsWanted int
	Held                           int64
	Forwards                       []ForwardCounts
}

// ForwardCounts is what a running tunnel counts of a forward.
type ForwardCounts struct {
	Forward
	ChannelsOpen             int64
	ChannelsTotal            uint64
	BytesSent, BytesReceived uint64
}

// Write writes the families for these tunnels. A value that is not known has no sample.
//
// It uses only types of Prometheus' older text format, which the textfile collector of
// node_exporter reads: gauge in place of OpenMetrics' stateset and info.
func Write(w *openmetrics.Writer, tunnels []Tunnel) {
	f := families{w, tunnels}
	f.gauge("holdfast_tunnel_info", "", "What the tunnel's file says of it.", func(t Tunnel, sample sampler) {
		if i := t.Info; i != nil {
			sample(1, openmetrics.Label("destination", i.Destination), openmetrics.Label("description", i.Description), openmetrics.Label("start", string(i.Start)))
		}
	})
	f.gauge("holdfast_state", "", "1 for what the tunnel is doing, 0 for what it is not.", func(t Tunnel, sample sampler) {
		for _, s := range tunnelfile.States() {
			sample(bit(s == t.State), openmetrics.Label("holdfast_state", string(s)))
		}
	})
	f.gauge("holdfast_up_since_seconds", "seconds", "When the SSH connection in use was established, since the epoch; absent while there is none.", func(t Tunnel, sample sampler) {
		if !t.UpSince.IsZero() {
			sample(float64(t.UpSince.UnixMicro()) / 1e6)
		}
	})
	f.gauge("holdfast_forward_up", "", "Whether the forward takes connections: it is up, or it listens and they wait.", func(t Tunnel, sample sampler) {
		for _, forward := range t.Forwards {
			sample(bit(forward.State == tunnelfile.Up || forward.State == tunnelfile.Listening), forward.labels()...)
		}
	})
	f.gauge("holdfast_round_trip_seconds", "seconds", "Last measured round trip to the server; absent while not known.", counted(func(c Counts, sample sampler) {
		if c.RTT > 0 {
			sample(c.RTT.Seconds())
		}
	}))
	f.counter("holdfast_reconnects", "", "SSH connections that were established after the first.", counted(func(c Counts, sample sampler) { sample(c.Reconnects) }))
	f.gauge("holdfast_connections", "", "SSH connections that are up.", counted(func(c Counts, sample sampler) { sample(c.Connections) }))
	f.gauge("holdfast_connections_wanted", "", "SSH connections that the tunnel's file asks for; with Connections=auto, those that there are.", counted(func(c Counts, sample sampler) { sample(c.ConnectionsWanted) }))
	f.gauge("holdfast_held_connections", "", "Local connections that wait for the SSH connection.", counted(func(c Counts, sample sampler) { sample(c.Held) }))
	f.gauge("holdfast_channels_open", "", "Connections that run through the forward.", forwards(func(c ForwardCounts) any { return c.ChannelsOpen }))
	f.counter("holdfast_channels", "", "Connections that ran through the forward.", forwards(func(c ForwardCounts) any { return c.ChannelsTotal }))
	f.counter("holdfast_sent_bytes", "bytes", "Bytes into the tunnel, from this side to the server.", forwards(func(c ForwardCounts) any { return c.BytesSent }))
	f.counter("holdfast_received_bytes", "bytes", "Bytes out of the tunnel.", forwards(func(c ForwardCounts) any { return c.BytesReceived }))
}

// sampler writes a sample of the current family for the current tunnel.
type sampler func(value any, labels ...string)

// families writes families of some tunnels.
type families struct {
	w       *openmetrics.Writer
	tunnels []Tunnel
}

func (f families) gauge(name, unit, help string, of func(Tunnel, sampler)) {
	f.family(name, "gauge", unit, help, "", of)
}

func (f families) counter(name, unit, help string, of func(Tunnel, sampler)) {
	f.family(name, "counter", unit, help, "_total", of)
}

func (f families) family(name, kind, unit, help, suffix string, of func(Tunnel, sampler)) {
	f.w.Family(name, kind, unit, help)
	for _, t := range f.tunnels {
		of(t, func(value any, labels ...string) {
			f.w.Sample(suffix, value, append([]string{openmetrics.Label("tunnel", t.Name)}, labels...)...)
		})
	}
}

// counted samples only the tunnels that run.
func counted(of func(Counts, sampler)) func(Tunnel, sampler) {
	return func(t Tunnel, sample sampler) {
		if t.Counts != nil {
			of(*t.Counts, sample)
		}
	}
}

// forwards samples each forward of the tunnels that run.
func forwards(value func(ForwardCounts) any) func(Tunnel, sampler) {
	return counted(func(c Counts, sample sampler) {
		for _, f := range c.Forwards {
			sample(value(f), f.labels()...)
		}
	})
}

func (f Forward) labels() []string {
	return []string{openmetrics.Label("kind", f.Kind), openmetrics.Label("listen", f.Listen), openmetrics.Label("target", f.Target)}
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}
