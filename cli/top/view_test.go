package top

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// counted is a tunnel's statistics with so much sent and received.
func counted(sent, received uint64) dbusapi.Statistics {
	return dbusapi.Statistics{BytesSent: sent, BytesReceived: received, ChannelsOpen: 2, RoundTripTime: 12 * time.Millisecond, Transport: "native"}
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestFlow(t *testing.T) {
	var f flow
	if _, _, ok := f.rates(); ok || strings.TrimSpace(f.sparkline(10, epoch)) != "" {
		t.Error("something flows before anything was counted")
	}
	rates := func(sent, received float64) {
		t.Helper()
		if s, r, ok := f.rates(); !ok || s != sent || r != received {
			t.Errorf("%v sent, %v received, %v; want %v, %v", s, r, ok, sent, received)
		}
	}
	f.count(counted(1<<30, 1<<30), true, epoch) // of the time before
	f.count(counted(1<<30+2000, 1<<30), true, epoch.Add(2*time.Second))
	rates(1000, 0)
	f.count(counted(50, 100), true, epoch.Add(3*time.Second)) // its program began anew
	rates(50, 100)
	f.count(dbusapi.Statistics{}, false, epoch.Add(4*time.Second))
	if _, _, ok := f.rates(); ok {
		t.Error("it does not run and something flows")
	}
	f.count(counted(50, 100), true, epoch.Add(5*time.Second))
	rates(50, 100)
	for s := range 200 {
		f.count(counted(50, 100), true, epoch.Add(time.Duration(6+s)*time.Second))
	}
	rates(0, 0)
	if n := len(f.points); n > 62 {
		t.Errorf("%d points of a minute are kept", n)
	}
}

// TestSparkline: a minute from left to right, whatever the pace of counting.
func TestSparkline(t *testing.T) {
	for _, pace := range []int{1, 3, 10} {
		var f flow
		total := uint64(0)
		for s := 0; s <= 60; s += pace {
			if s > 30 { // nothing, then 1 MiB/s
				total += uint64(pace) << 20
			}
			f.count(counted(0, total), true, epoch.Add(time.Duration(s)*time.Second))
		}
		if got := f.sparkline(6, epoch.Add(minute)); got != "   ███" {
			t.Errorf("counted every %d s: %q", pace, got)
		}
	}
	var f flow
	f.count(counted(0, 0), true, epoch)
	f.count(counted(0, 100), true, epoch.Add(10*time.Second))
	f.count(counted(0, 100+10<<20), true, epoch.Add(20*time.Second))
	f.count(counted(0, 100+15<<20), true, epoch.Add(30*time.Second))
	if got := f.sparkline(6, epoch.Add(30*time.Second)); got != "   ▁█▄" {
		t.Errorf("a little, much, half: %q", got)
	}
	if got := f.sparkline(6, epoch.Add(2*minute)); got != "      " {
		t.Errorf("long ago: %q", got)
	}
}

func TestFrame(t *testing.T) {
	view := view{
		running: true, network: "online", sparks: true, keys: true, flows: make(map[string]*flow),
		tunnels: []listing.Tunnel{
			{Name: "db", State: tunnelfile.Blocked, Status: "needs a passphrase for ~/.ssh/id_ed25519 and more words than fit"},
			{Name: "web", State: tunnelfile.Up, Status: "1 forward"},
			{Name: "work-with-a-long-name", State: tunnelfile.Up},
		},
	}
	count := func(at, web, work int) {
		view.count(map[string]dbusapi.Statistics{"web": counted(0, uint64(web)), "work-with-a-long-name": counted(uint64(work), 0)}, epoch.Add(time.Duration(at)*time.Second))
	}
	count(0, 0, 0)
	count(1, 2048, 5<<20)
	show := func(width, height int) []string {
		var lines []string
		for _, line := range view.frame(width, height) {
			content := ""
			for _, c := range line {
				content += c.Text
			}
			if n := layout.Width(strings.TrimRight(content, " ")); width > 0 && n > width {
				t.Errorf("%d columns: a line of %d: %q", width, n, content)
			}
			lines = append(lines, strings.TrimRight(content, " "))
		}
		return lines
	}
	for width, header := range map[int]string{
		0:   "NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE                     STATUS",
		125: "NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE                     STATUS",
		105: "NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE   STATUS",
		90:  "NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE",
		80:  "NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS",
		66:  "NAME                   STATE        RECEIVED       SENT     RTT",
		56:  "NAME                STATE        RECEIVED       SENT",
		41:  "NAME           STATE        RECEIVED",
		25:  "NAME       STATE",
		12:  "NAME   STATE",
		1:   "…",
	} {
		if got := show(width, 0)[2]; got != header {
			t.Errorf("%d columns:\n got %q\nwant %q", width, got, header)
		}
	}
	lines := show(120, 24)
	for i, want := range []string{
		"2 of 3 tunnels up, network online, 2.0 KiB/s received, 5.0 MiB/s sent   s: sort by throughput, q: quit", "",
		"NAME ", "db                     blocked ", "web                    up          2.0 KiB/s      0 B/s   12 ms         2  ",
		"work-with-a-long-name  up              0 B/s  5.0 MiB/s   12 ms ",
	} {
		if !strings.HasPrefix(lines[i], want) || want == "" && lines[i] != "" {
			t.Errorf("line %d: %q, want %q", i, lines[i], want)
		}
	}
	view.byThroughput = true
	if lines := show(120, 24); !strings.HasPrefix(lines[3], "work") || !strings.HasPrefix(lines[4], "web") || !strings.HasPrefix(lines[5], "db") || !strings.Contains(lines[0], "s: sort by name") {
		t.Errorf("by throughput:\n%s", strings.Join(lines, "\n"))
	}
	if lines := show(120, 4); len(lines) != 4 || !strings.HasPrefix(lines[2], "work") || lines[3] != "… and 2 more" {
		t.Errorf("four lines:\n%s", strings.Join(lines, "\n"))
	}
	if lines := show(120, 2); len(lines) != 2 {
		t.Errorf("two lines:\n%s", strings.Join(lines, "\n"))
	}
	view.hear(dbusapi.Snapshot{}, nil)
	if lines := show(120, 24); !strings.HasPrefix(lines[0], "holdfastd is not running") || !strings.HasPrefix(lines[3], "db                     ?") || strings.Contains(strings.Join(lines, ""), "MiB") {
		t.Errorf("no daemon:\n%s", strings.Join(lines, "\n"))
	}
	view.hear(dbusapi.Snapshot{Running: true, Tunnels: view.tunnels}, []string{"w*"})
	if lines := show(120, 24); len(lines) != 5 {
		t.Errorf("two that are named:\n%s", strings.Join(lines, "\n"))
	}
}
