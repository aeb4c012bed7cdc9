//go:build cgo && !race

package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

// made is the tray that make builds, which is smaller than go build's.
func made(t testing.TB) string {
	t.Helper()
	testbed.Need(t, "make", "pkg-config", "gcc")
	if out, err := exec.Command("make", "-s", "-C", "../..", "tray").CombinedOutput(); err != nil {
		t.Fatalf("make tray: %v\n%s", err, out)
	}
	return "../../bin/holdfast-tray"
}

// mostMemory is what the tray may take: once it has started, and at rest after much use.
const mostMemory = 30e6

// TestCost measures what the tray takes when it has started and when it was in use for a
// while, and its wake-ups when nothing happens.
func TestCost(t *testing.T) {
	binary := made(t)
	b := session(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	for n := range 19 {
		b.Put(tunnel(fmt.Sprint("t", n), tunnelfile.Up, "1 forward"))
	}
	p, started := start(t, binary), time.Now()
	i := w.icon(t)
	shows(t, i, want(t, b))
	pictured(t, i, tray.IconUp)
	fits := func(when string) {
		t.Helper()
		rss, pss := memory(t, p.Process.Pid)
		t.Logf("%s: RSS %.1f MB, PSS %.1f MB", when, rss/1e6, pss/1e6)
		if rss > mostMemory {
			t.Errorf("%s: RSS %.1f MB, want at most %.0f", when, rss/1e6, mostMemory/1e6)
		}
	}
	fits("started, 19 tunnels up")
	for n := range 300 {
		b.Put(tunnel(fmt.Sprint("t", n%19), states[n%len(states)], fmt.Sprint("a status ", n)))
	}
	shows(t, i, want(t, b))
	for n := range 19 { // none that is told after a while
		b.Put(tunnel(fmt.Sprint("t", n), tunnelfile.Up, "1 forward"))
	}
	shows(t, i, want(t, b))
	pictured(t, i, tray.IconUp)
	idle := 10 * time.Second
	if testing.Short() {
		idle = 2 * time.Second
	}
	awaitSleep(t, p.Process.Pid)
	fits("after 300 changes")
	// What the start set a limit to is over by the end of it.
	idle = max(idle, time.Until(started.Add(connectTime+time.Second)))
	before := wakeUps(t, p.Process.Pid)
	time.Sleep(idle) // this is what is measured
	woken := 0
	for thread, n := range wakeUps(t, p.Process.Pid) { // those that have ended meanwhile were idle for long
		woken += n - before[thread]
	}
	t.Logf("%d wake-ups in %v", woken, idle)
	if woken != 0 {
		t.Errorf("%d wake-ups in %v with nothing to do", woken, idle)
	}
}

// BenchmarkStart is the time from the start of the program to its icon on the bus.
//
//	go test -run '^$' -bench Start -benchtime 20x ./cmd/holdfast-tray
func BenchmarkStart(b *testing.B) {
	binary := made(b)
	daemon := session(b)
	w, _ := watch(b)
	apitest.Serve(b, daemon)
	for n := range 5 {
		daemon.Put(tunnel(fmt.Sprint("t", n), tunnelfile.Up, "1 forward"))
	}
	var times []time.Duration
	for b.Loop() {
		begin := time.Now()
		p := start(b, binary)
		w.icon(b)
		times = append(times, time.Since(begin))
		_ = p.Process.Kill()
		<-p.done
	}
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(times[len(times)/2]), "ms-median")
	b.ReportMetric(ms(times[0]), "ms-least")
	b.ReportMetric(ms(times[len(times)-1]), "ms-most")
}

// awaitSleep waits until what was to be done is done: a second without a wake-up.
func awaitSleep(t *testing.T, pid int) {
	t.Helper()
	last, since := wakeUps(t, pid), time.Now()
	eventually(t, "a second of sleep", func() bool {
		if now := wakeUps(t, pid); !maps.Equal(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	})
}

// wakeUps is how often each thread of a process has waited for something.
func wakeUps(t *testing.T, pid int) map[string]int {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatal("no threads", err)
	}
	waits := make(map[string]int)
	for _, file := range threads {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				waits[file] = n
			}
		}
	}
	return waits
}

// memory is a process's, in bytes.
func memory(t *testing.T, pid int) (rss, pss float64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "Rss: %f kB", &kb); err == nil {
			rss = kb * 1024
		}
		if _, err := fmt.Sscanf(line, "Pss: %f kB", &kb); err == nil {
			pss = kb * 1024
		}
	}
	return rss, pss
}
