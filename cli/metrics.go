package cli

import (
	"bytes"
	"io"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/metrics"
	"github.com/holdfast/holdfast/internal/openmetrics"
)

func metricsVerb() verb.Verb {
	return verb.Verb{
		Name: "metrics", Group: verb.Other,
		Summary: "print OpenMetrics of all tunnels, for a scraper",
		About: `
It prints for each tunnel the state, round-trip time, reconnects, and SSH connections that are up and
that are wanted. For each forward it prints whether it serves, its channels and its bytes. The names
are those of a tunnel's own /metrics, see holdfast-tunnel(1). Unknown values are left out, such as the
counters of a tunnel that does not run. Counters start from 0 when the tunnel's program starts.

If there is no daemon, nothing is printed, and the exit status is 1.`,
		Examples: []verb.Example{
			{Command: "holdfast metrics", Does: "all tunnels as OpenMetrics text"},
			{Command: "holdfast metrics >holdfast.prom.new && mv holdfast.prom.new holdfast.prom", Does: "for the textfile collector of node_exporter, from a timer"},
		},
		NoJSON: "it is OpenMetrics text; holdfast --json status has the same numbers",
		Setup:  verb.Plain(printMetrics),
	}
}

// printMetrics prints the metrics of all tunnels. If the daemon does not run or does not answer
// completely, it prints nothing, so that a scraper keeps its last values.
func printMetrics(s *session.Session, args []string) error {
	if len(args) > 0 {
		return advice.Misuse{Message: "metrics takes no names; each sample names its tunnel"}
	}
	client, now, err := s.Snapshot()
	if err != nil {
		return err
	}
	counted, err := client.StatisticsOf(s.Ctx)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	writeMetrics(&text, now.Global, now.Tunnels, counted)
	s.Out.Text(text.String())
	return nil
}

// writeMetrics writes all tunnels as OpenMetrics text. Unknown values, such as the counters of a tunnel
// that does not run, have no sample.
func writeMetrics(out io.Writer, global listing.Global, tunnels []listing.Tunnel, counted map[string]dbusapi.Statistics) {
	w := openmetrics.NewWriter(out)
	w.Family("holdfast_info", "gauge", "", "The daemon, and who tells it of the network.")
	w.Sample("", 1, openmetrics.Label("version", global.Version), openmetrics.Label("network_source", global.NetworkSource))
	w.Family("holdfast_network", "gauge", "", "1 for what the network is like.")
	w.Sample("", 1, openmetrics.Label("network", global.Network))
	w.Family("holdfast_file_problems", "gauge", "", "What is wrong in tunnel files, which are not in force as written.")
	w.Sample("", len(global.Problems))
	all := make([]metrics.Tunnel, len(tunnels))
	for i, t := range tunnels {
		all[i] = measured(t)
		if s, ok := counted[t.Name]; ok {
			all[i].Counts = counts(s)
		}
	}
	metrics.Write(w, all)
	w.End()
}

// measured converts a tunnel for package metrics, without its counters.
func measured(t listing.Tunnel) metrics.Tunnel {
	m := metrics.Tunnel{
		Name: t.Name, State: t.State, UpSince: t.UpSince,
		Info: &metrics.Info{Destination: t.Destination, Description: t.Description, Start: t.StartMode},
	}
	for _, f := range t.Forwards {
		m.Forwards = append(m.Forwards, metrics.Forward{Kind: string(f.Kind), Listen: f.Listen, Target: f.Target, State: f.State})
	}
	return m
}

func counts(s dbusapi.Statistics) *metrics.Counts {
	c := &metrics.Counts{
		RTT: time.Duration(s.RoundTripTime), Reconnects: s.Reconnects, Connections: int(s.Connections),
		ConnectionsWanted: int(s.ConnectionsWanted), Held: s.Held,
	}
	for _, f := range s.Forwards {
		c.Forwards = append(c.Forwards, metrics.ForwardCounts{
			Forward:      metrics.Forward{Kind: f.Kind, Listen: f.Listen, Target: f.Target},
			ChannelsOpen: f.ChannelsOpen, ChannelsTotal: f.ChannelsTotal, BytesSent: f.BytesSent, BytesReceived: f.BytesReceived,
		})
	}
	return c
}
