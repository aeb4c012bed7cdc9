package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestWriteMetrics: whatever tunnels are called and do, a scraper can read it.
func TestWriteMetrics(t *testing.T) {
	odd := "a \"quoted\" \\ and\nbroken {label=\"x\"} 1 ü"
	since := time.Unix(1767323045, 5e8)
	tunnels := []listing.Tunnel{
		{Name: "db", Destination: odd, Description: odd, State: tunnelfile.Inactive, StartMode: tunnelfile.StartManual},
		{Name: "web", Destination: "me@host", State: tunnelfile.Degraded, StartMode: tunnelfile.StartAuto, UpSince: since, Forwards: []tunnelfile.ForwardReport{
			{Kind: tunnelfile.LocalForward, Listen: odd, Target: "t:1", State: tunnelfile.Up},
			{Kind: tunnelfile.DynamicForward, Listen: "l:3", Target: "SOCKS", State: tunnelfile.Listening},
			{Kind: tunnelfile.RemoteForward, Listen: "l:2", Target: "t:2", State: tunnelfile.Degraded},
		}},
	}
	counted := map[string]dbusapi.Statistics{"web": {
		RoundTripTime: 12 * time.Millisecond, Reconnects: 3, Connections: 2, ConnectionsWanted: 5, Held: 4,
		Forwards: []dbusapi.ForwardStatistics{
			{Kind: "LocalForward", Listen: odd, Target: "t:1", ChannelsOpen: 1, ChannelsTotal: 1 << 60, BytesSent: 1234567890123, BytesReceived: 5},
			{Kind: "RemoteForward", Listen: "l:2", Target: "t:2"},
		},
	}}
	var text strings.Builder
	writeMetrics(&text, listing.Global{Version: "1.0", Network: "online", Problems: make(tunnelfile.Problems, 2)}, tunnels, counted)
	got := testbed.ParseOpenMetrics(t, text.String())
	for _, want := range []struct {
		family string
		value  float64
		labels []string
	}{
		{"holdfast_info", 1, []string{"version=1.0"}},
		{"holdfast_network", 1, []string{"network=online"}},
		{"holdfast_file_problems", 2, nil},
		{"holdfast_tunnel_info", 1, []string{"tunnel=db", "destination=" + odd, "description=" + odd, "start=manual"}},
		{"holdfast_state", 1, []string{"tunnel=db", "holdfast_state=inactive"}},
		{"holdfast_state", 0, []string{"tunnel=db", "holdfast_state=up"}},
		{"holdfast_state", 1, []string{"tunnel=web", "holdfast_state=degraded"}},
		{"holdfast_up_since_seconds", 1767323045.5, []string{"tunnel=web"}},
		{"holdfast_round_trip_seconds", 0.012, []string{"tunnel=web"}},
		{"holdfast_reconnects", 3, []string{"tunnel=web"}},
		{"holdfast_connections", 2, []string{"tunnel=web"}},
		{"holdfast_connections_wanted", 5, []string{"tunnel=web"}},
		{"holdfast_held_connections", 4, []string{"tunnel=web"}},
		{"holdfast_forward_up", 1, []string{"tunnel=web", "kind=LocalForward", "listen=" + odd, "target=t:1"}},
		{"holdfast_forward_up", 0, []string{"tunnel=web", "kind=RemoteForward"}},
		{"holdfast_forward_up", 1, []string{"tunnel=web", "kind=DynamicForward"}},
		{"holdfast_channels_open", 1, []string{"kind=LocalForward"}},
		{"holdfast_channels", 1 << 60, []string{"kind=LocalForward"}},
		{"holdfast_sent_bytes", 1234567890123, []string{"kind=LocalForward"}},
		{"holdfast_received_bytes", 5, []string{"kind=LocalForward"}},
	} {
		if value, ok := got[want.family].Value(want.labels...); !ok || value != want.value {
			t.Errorf("%s %q: %v, %v, want %v", want.family, want.labels, value, ok, want.value)
		}
	}
	for name, f := range got {
		// What the textfile collector of node_exporter knows; it throws the whole file away else.
		if !slices.Contains([]string{"counter", "gauge", "unknown"}, f.Type) {
			t.Errorf("%s is a %s", name, f.Type)
		}
		if f.Help == "" {
			t.Errorf("%s has no help", name)
		}
		if _, stopped := f.Value("tunnel=db"); stopped && name != "holdfast_tunnel_info" && name != "holdfast_state" {
			t.Errorf("%s of a tunnel that does not run", name)
		}
	}
	if !strings.HasSuffix(text.String(), "\n# EOF\n") {
		t.Errorf("no end: %q", text.String())
	}
}
