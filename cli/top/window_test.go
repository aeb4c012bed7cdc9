package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
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

// sampleWindow has tunnels of which two count.
func sampleWindow(width, height int) *window {
	w := &window{width: width, height: height, view: view{
		running: true, network: "online", sparks: true, flows: make(map[string]*flow),
		tunnels: []listing.Tunnel{
			{Name: "db", State: tunnelfile.Blocked, Reason: fault.Passphrase, Status: "needs a passphrase for ~/.ssh/id_ed25519"},
			{Name: "web", State: tunnelfile.Up, Status: "1 forward", Destination: "me@host"},
			{Name: "work-with-a-long-name", State: tunnelfile.Up, Tags: []string{"office"}},
			{Name: "zero", State: tunnelfile.Inactive},
		},
	}}
	count := func(at, web, work int) {
		w.count(w.tunnels, map[string]dbusapi.Statistics{"web": counted(0, uint64(web)), "work-with-a-long-name": counted(uint64(work), 0)}, epoch.Add(time.Duration(at)*time.Second))
	}
	count(0, 0, 0)
	count(1, 2048, 5<<20)
	return w
}

// lines are a picture's, each of which must fit.
func (w *window) lines(t *testing.T) (lines []string) {
	t.Helper()
	for _, line := range w.frame() {
		content := ""
		for _, c := range line.Cut(w.width) {
			content += c.Text
		}
		if n := layout.Width(content); n > w.width {
			t.Errorf("%d columns: a line of %d: %q", w.width, n, content)
		}
		lines = append(lines, strings.TrimRight(content, " "))
	}
	if len(lines) != w.height {
		t.Errorf("%d by %d: %d lines", w.width, w.height, len(lines))
	}
	return lines
}

func TestColumns(t *testing.T) {
	for width, header := range map[int]string{
		127: "  NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE                     STATUS",
		107: "  NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE   STATUS",
		92:  "  NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS  LAST MINUTE",
		82:  "  NAME                   STATE        RECEIVED       SENT     RTT  CHANNELS",
		68:  "  NAME                   STATE        RECEIVED       SENT     RTT",
		58:  "  NAME                STATE        RECEIVED       SENT",
		43:  "  NAME           STATE        RECEIVED",
		27:  "  NAME       STATE",
	} {
		if got := sampleWindow(width, 24).lines(t)[1]; got != header {
			t.Errorf("%d columns:\n got %q\nwant %q", width, got, header)
		}
	}
}

// TestSizes: whatever the size, the picture is as large as the terminal, on every page.
func TestSizes(t *testing.T) {
	for width := 1; width < 130; width += 3 {
		for height := 1; height < 30; height++ {
			w := sampleWindow(width, height)
			for _, key := range []string{"", "j", keyEnd, keyEnter, "?", keyEscape, "h", keyEscape, keyEscape, "/"} {
				w.press(press{key: key})
				w.lines(t)
			}
		}
	}
}

func TestWindow(t *testing.T) {
	w := sampleWindow(100, 24)
	shown := strings.Join(w.lines(t), "\n")
	for _, want := range []string{
		"2 of 3 tunnels up, network online, 2.0 KiB/s received, 5.0 MiB/s sent\n", "> db ", "hint: p answers it here.",
		"  web                    up          2.0 KiB/s      0 B/s   12 ms         2", "\nEnter open  u up",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q on\n%s", want, shown)
		}
	}
	w.key("s")
	if rows := w.rows(); rows[0].Name != "work-with-a-long-name" || rows[1].Name != "web" {
		t.Errorf("by throughput: %v", rows)
	}
	w.key("s")
	for _, key := range []string{"/", "O", "F", "F", keyEnter} {
		w.press(press{key: key})
	}
	w.lines(t)
	if rows := w.rows(); len(rows) != 1 || w.selected != "work-with-a-long-name" {
		t.Errorf("with that tag: %v, selected %q", rows, w.selected)
	}
	if a := w.key("p"); a != (action{outside, "up", w.selected}) {
		t.Errorf("%+v", a)
	}
	w.key(keyEscape)
	w.update(dbusapi.Snapshot{}, nil)
	if shown := strings.Join(w.lines(t), "\n"); !strings.HasPrefix(shown, "holdfastd is not running") || strings.Contains(shown, "MiB") {
		t.Errorf("no daemon:\n%s", shown)
	}
	w.update(dbusapi.Snapshot{Running: true, Tunnels: w.tunnels}, []string{"w*"})
	if rows := w.rows(); len(rows) != 2 {
		t.Errorf("that are named: %v", rows)
	}
}

// TestTitle: the first line says less on a narrow terminal, rather than to be cut; a state and its reason stay.
func TestTitle(t *testing.T) {
	for width, want := range map[int]string{
		100: "2 of 3 tunnels up, network online, 2.0 KiB/s received, 5.0 MiB/s sent, sorted by throughput",
		80:  "2 of 3 tunnels up, online, 2.0 KiB/s in, 5.0 MiB/s out, by throughput",
		40:  "2 of 3 tunnels up, online",
	} {
		w := sampleWindow(width, 24)
		w.key("s")
		if got := w.lines(t)[0]; got != want {
			t.Errorf("%d columns: %q", width, got)
		}
	}
	for width, want := range map[int]string{
		100: "log of db  blocked [passphrase]: needs a passphrase for ~/.ssh/id_ed25519",
		60:  "log of db  blocked [passphrase]",
	} {
		w := sampleWindow(width, 24)
		w.lines(t)
		w.key("l")
		if got := w.lines(t)[0]; got != want {
			t.Errorf("%d columns: %q", width, got)
		}
	}
	w := sampleWindow(80, 24)
	w.tunnels[0].Name = strings.Repeat("n", 64)
	w.lines(t)
	w.key("h")
	if got := w.lines(t)[0]; !strings.HasSuffix(got, "n  blocked [passphrase]") {
		t.Errorf("a long name: %q", got)
	}
}

// TestCounted: only tunnels on the screen whose program runs are asked, all of them where their order
// goes by what they count, and none where nothing of it is shown.
func TestCounted(t *testing.T) {
	w := &window{width: 80, height: 7, view: view{running: true, flows: make(map[string]*flow)}}
	for i := range 100 {
		w.tunnels = append(w.tunnels, listing.Tunnel{Name: fmt.Sprintf("t%02d", i), State: tunnelfile.Up})
	}
	w.tunnels[1].State = tunnelfile.Inactive
	names := func() (names string) {
		for _, t := range w.counted() {
			names += t.Name + " "
		}
		return names
	}
	for _, c := range []struct{ key, want string }{
		{"", "t00 t02 t03 "}, {keyEnd, "t96 t97 t98 t99 "}, {keyEnter, "t99 "}, {"l", ""}, {"h", ""}, {"?", ""},
	} {
		w.key(c.key)
		w.lines(t)
		if got := names(); got != c.want {
			t.Errorf("after %q: %s, want %s", c.key, got, c.want)
		}
	}
	w.page = listPage
	w.key("s")
	if n := len(w.counted()); n != 99 {
		t.Errorf("by throughput: %d", n)
	}
	if w.running = false; len(w.counted()) != 0 {
		t.Error("without a daemon")
	}
}
