package history

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// month writes the journal of a month in which the machine started each day: each tunnel comes up,
// is lost once a day for a minute, and says a few things that are no events.
func month(t testing.TB, tunnels int) (directory string, names []listing.Tunnel) {
	var j testbed.Journal
	begin := time.Now().Add(-30 * 24 * time.Hour)
	uid := strconv.Itoa(os.Getuid())
	for i := range tunnels {
		names = append(names, listing.Tunnel{Name: fmt.Sprintf("t%03d", i), StartMode: tunnelfile.StartAuto})
	}
	for day := range 30 {
		booted := begin.Add(time.Duration(day) * 24 * time.Hour)
		boot := fmt.Sprintf("%032x", day+1)
		all := func(after time.Duration, fields ...string) {
			for i, tunnel := range names {
				of := []string{"_UID", uid, "_SYSTEMD_USER_UNIT", tunnelfile.ServiceName(tunnel.Name), "HOLDFAST_TUNNEL", tunnel.Name}
				j.Add(booted.Add(after+time.Duration(i)*time.Millisecond), booted, boot, append(of, fields...)...)
			}
		}
		event := func(after time.Duration, e journal.Event) {
			all(after, "MESSAGE_ID", e.MessageID(), "HOLDFAST_EVENT", string(e.Kind), "HOLDFAST_STATE", e.State, "HOLDFAST_REASON", e.Reason, "HOLDFAST_STATUS", e.Status, "MESSAGE", e.Status)
		}
		event(time.Minute, journal.Event{Kind: journal.State, State: "connecting"})
		event(time.Minute+time.Second, journal.Event{Kind: journal.State, State: "up", Status: "1 forward"})
		for i := range 3 {
			all(time.Hour+time.Duration(i)*time.Second, "MESSAGE", "connection accepted")
		}
		event(10*time.Hour, journal.Event{Kind: journal.State, State: "retrying", Reason: "unreachable", Status: "in 8s, no route to host"})
		event(10*time.Hour+time.Minute, journal.Event{Kind: journal.State, State: "up", Status: "1 forward"})
		j.Add(booted.Add(20*time.Hour), booted, boot, "_UID", uid, "MESSAGE", "shut down")
	}
	return j.Write(t), names
}

// TestMonth: each day's outage is found, with its reason, and the bars show them.
func TestMonth(t *testing.T) {
	directory, tunnels := month(t, 3)
	r, err := Read(t.Context(), Query{Since: "-31d", Tunnels: tunnels, directory: directory})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.pasts {
		if len(p.Outages) != 30 || p.Down != 30*time.Minute || p.Outages[7].Why.reason != fault.Unreachable || p.Outages[7].Why.text != "no route to host" {
			t.Errorf("%s: %d outages, down for %v, %+v", p.Name, len(p.Outages), p.Down, p.Outages[7])
		}
		if up := 30 * (20*time.Hour - 2*time.Minute); (p.Up - up).Abs() > time.Minute {
			t.Errorf("%s: up for %v", p.Name, up)
		}
	}
	if begin := time.Since(r.period.since).Round(time.Hour); begin != 30*24*time.Hour {
		t.Errorf("the journal begins %v ago", begin)
	}
	// Of a period within, what was before is known.
	r, err = Read(t.Context(), Query{Since: "-7d", Tunnels: tunnels, directory: directory})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.pasts[0].Outages); n != 7 {
		t.Errorf("%d outages in a week", n)
	}
	if svg := r.SVG(); strings.Count(svg, "<title>") != 21 || !strings.Contains(svg, "retrying [unreachable]: no route to host") || !strings.HasSuffix(svg, "</svg>\n") {
		t.Errorf("%s", svg)
	}
	// A tunnel that is gone has its past when it is asked for.
	r, err = Read(t.Context(), Query{Since: "-7d", Patterns: []string{"t001"}, directory: directory})
	if err != nil || len(r.pasts) != 1 || len(r.pasts[0].Outages) != 7 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestBar(t *testing.T) {
	hour := func(n float64) time.Time { return epoch.Add(time.Duration(n * float64(time.Hour))) }
	p := past{
		Ups:     []span{{hour(1), hour(2)}, {hour(2.5), hour(2.75)}, {hour(4), hour(5.999)}},
		Outages: []outage{{Began: hour(2.75), Ended: hour(4)}, {Began: hour(5.999)}},
	}
	if got := p.bar(period{since: epoch, now: hour(6)}, 6); got != "·█▄✕█▇" {
		t.Errorf("%q", got)
	}
}

// BenchmarkMonth: 200 tunnels, a month.
func BenchmarkMonth(b *testing.B) {
	directory, tunnels := month(b, 200)
	for b.Loop() {
		r, err := Read(b.Context(), Query{Since: "-30d", Tunnels: tunnels, directory: directory})
		if err != nil {
			b.Fatal(err)
		}
		if len(r.Blocks(80)) == 0 {
			b.Fatal("nothing to show")
		}
	}
}
