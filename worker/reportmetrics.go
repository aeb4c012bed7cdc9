package worker

import (
	"io"
	"runtime"

	"github.com/holdfast/holdfast/internal/metrics"
	"github.com/holdfast/holdfast/internal/openmetrics"
	"github.com/holdfast/holdfast/tunnelfile"
)

// writeMetrics writes a report as OpenMetrics text, version 1.0.
func writeMetrics(out io.Writer, r tunnelfile.Report) {
	t := metrics.Tunnel{
		Name: r.Name, State: r.State, UpSince: r.UpSince,
		Counts: &metrics.Counts{RTT: r.RTT, Reconnects: r.Reconnects, Connections: r.Connections, ConnectionsWanted: r.ConnectionsWanted, Held: r.Held},
	}
	for _, f := range r.Forwards {
		forward := metrics.Forward{Kind: string(f.Kind), Listen: f.Listen, Target: f.Target, State: f.State}
		t.Forwards = append(t.Forwards, forward)
		t.Counts.Forwards = append(t.Counts.Forwards, metrics.ForwardCounts{
			Forward: forward, ChannelsOpen: f.ChannelsOpen, ChannelsTotal: f.ChannelsTotal, BytesSent: f.BytesSent, BytesReceived: f.BytesReceived,
		})
	}
	w := openmetrics.NewWriter(out)
	metrics.Write(w, []metrics.Tunnel{t})
	// The name that Go programs use. It has no label, because it is about the process.
	w.Family("go_goroutines", "gauge", "", "Goroutines of the process.")
	w.Sample("", runtime.NumGoroutine())
	w.End()
}
