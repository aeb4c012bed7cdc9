package cli

import (
	"bytes"
	"io"
	"time"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/openmetrics"
	"github.com/holdfast/holdfast/tunnelfile"
)

// metrics prints what is counted of all tunnels. Where there is no daemon, or it does not
// answer whole, nothing is printed: a scraper keeps what it has.
func (s *session) metrics(args []string) error {
	rest, err := parse(s.flags(), args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return advice.Misuse{Message: "metrics are of all tunnels; each sample says of which"}
	}
	if s.json {
		return advice.Misuse{Message: "metrics are OpenMetrics text", Usage: "holdfast --json status has the same numbers"}
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	global, err := client.Global(ctx)
	if err != nil {
		return err
	}
	tunnels, err := client.Tunnels(ctx)
	if err != nil {
		return err
	}
	counted, err := tunnel.Statistics(ctx, client, tunnels)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	writeMetrics(&text, global, tunnels, counted)
	s.out.text(text.String())
	return nil
}

// writeMetrics writes all tunnels as OpenMetrics text. Families and labels are those of a
// tunnel's own /metrics. What is not known of a tunnel, such as the counters of one that does
// not run, has no sample.
//
// The types are those that Prometheus' older text format has too, which is what the textfile
// collector of node_exporter reads: gauge where OpenMetrics has stateset and info.
func writeMetrics(out io.Writer, global dbusapi.Global, tunnels []dbusapi.Tunnel, counted map[string]dbusapi.Statistics) {
	m := openmetrics.NewWriter(out)
	label := openmetrics.Label
	m.Family("holdfast_info", "gauge", "", "The daemon, and who tells it of the network.")
	m.Sample("", 1, label("version", global.Version), label("network_source", global.NetworkSource))
	m.Family("holdfast_network", "gauge", "", "1 for what the network is like.")
	m.Sample("", 1, label("network", global.Network))
	m.Family("holdfast_file_problems", "gauge", "", "What is wrong in tunnel files, which are not in force as written.")
	m.Sample("", len(global.Problems))

	each := func(sample func(t dbusapi.Tunnel, name string)) {
		for _, t := range tunnels {
			sample(t, label("tunnel", t.Name))
		}
	}
	m.Family("holdfast_tunnel_info", "gauge", "", "What the tunnel's file says of it.")
	each(func(t dbusapi.Tunnel, name string) {
		m.Sample("", 1, name, label("destination", t.Destination), label("description", t.Description), label("start", string(t.StartMode)))
	})
	m.Family("holdfast_state", "gauge", "", "1 for what the tunnel is doing, 0 for what it is not.")
	each(func(t dbusapi.Tunnel, name string) {
		for _, s := range tunnelfile.States() {
			m.Sample("", bit(s == t.State), name, label("holdfast_state", string(s)))
		}
	})
	m.Family("holdfast_up_since_seconds", "gauge", "seconds", "When the SSH connection in use stood, since the epoch; absent while there is none.")
	each(func(t dbusapi.Tunnel, name string) {
		if !t.UpSince.IsZero() {
			m.Sample("", float64(t.UpSince.UnixMicro())/1e6, name)
		}
	})
	m.Family("holdfast_forward_up", "gauge", "", "Whether the forward serves.")
	each(func(t dbusapi.Tunnel, name string) {
		for _, f := range t.Forwards {
			m.Sample("", bit(f.State == tunnelfile.Up || f.State == tunnelfile.Listening), append([]string{name}, ofForward(string(f.Kind), f.Listen, f.Target)...)...)
		}
	})

	eachCounted := func(sample func(s dbusapi.Statistics, name string)) {
		each(func(t dbusapi.Tunnel, name string) {
			if s, ok := counted[t.Name]; ok {
				sample(s, name)
			}
		})
	}
	m.Family("holdfast_round_trip_seconds", "gauge", "seconds", "Last measured round trip to the server; absent while not known.")
	eachCounted(func(s dbusapi.Statistics, name string) {
		if s.RoundTripTime > 0 {
			m.Sample("", float64(s.RoundTripTime)/float64(time.Second), name)
		}
	})
	m.Family("holdfast_reconnects", "counter", "", "SSH connections that stood after the first.")
	eachCounted(func(s dbusapi.Statistics, name string) { m.Sample("_total", s.Reconnects, name) })
	m.Family("holdfast_connections", "gauge", "", "SSH connections that are up.")
	eachCounted(func(s dbusapi.Statistics, name string) { m.Sample("", s.Connections, name) })
	m.Family("holdfast_connections_wanted", "gauge", "", "SSH connections that the tunnel's file asks for.")
	eachCounted(func(s dbusapi.Statistics, name string) { m.Sample("", s.ConnectionsWanted, name) })
	m.Family("holdfast_held_connections", "gauge", "", "Local connections that wait for the SSH connection.")
	eachCounted(func(s dbusapi.Statistics, name string) { m.Sample("", s.Held, name) })

	forwards := func(suffix string, value func(dbusapi.ForwardStatistics) any) {
		eachCounted(func(s dbusapi.Statistics, name string) {
			for _, f := range s.Forwards {
				m.Sample(suffix, value(f), append([]string{name}, ofForward(f.Kind, f.Listen, f.Target)...)...)
			}
		})
	}
	m.Family("holdfast_channels_open", "gauge", "", "Connections that run through the forward.")
	forwards("", func(f dbusapi.ForwardStatistics) any { return f.ChannelsOpen })
	m.Family("holdfast_channels", "counter", "", "Connections that ran through the forward.")
	forwards("_total", func(f dbusapi.ForwardStatistics) any { return f.ChannelsTotal })
	m.Family("holdfast_sent_bytes", "counter", "bytes", "Bytes into the tunnel, from this side to the server.")
	forwards("_total", func(f dbusapi.ForwardStatistics) any { return f.BytesSent })
	m.Family("holdfast_received_bytes", "counter", "bytes", "Bytes out of the tunnel.")
	forwards("_total", func(f dbusapi.ForwardStatistics) any { return f.BytesReceived })
	m.End()
}

// ofForward is the labels of a forward.
func ofForward(kind, listen, target string) []string {
	return []string{openmetrics.Label("kind", kind), openmetrics.Label("listen", listen), openmetrics.Label("target", target)}
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}
