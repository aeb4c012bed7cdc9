//go:build cgo && !race

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestCost measures what the tray takes: time until its icon is there, memory, and
// wake-ups when nothing happens.
func TestCost(t *testing.T) {
	b := session(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	for n := range 5 {
		b.Put(tunnel(fmt.Sprint("t", n), tunnelfile.Up, "1 forward"))
	}
	begin := time.Now()
	p := launch(t)
	i := w.icon(t)
	appeared := time.Since(begin)
	shows(t, i, want(t, b))
	time.Sleep(2 * time.Second) // what is left of the start
	before := wakeUps(t, p.Process.Pid)
	idle := 10 * time.Second
	if testing.Short() {
		idle = 2 * time.Second
	}
	time.Sleep(idle) // this is what is measured
	woken := wakeUps(t, p.Process.Pid) - before
	rss, pss := memory(t, p.Process.Pid)
	t.Logf("icon after %v, RSS %.1f MB, PSS %.1f MB, %d wake-ups in %v", appeared.Round(time.Millisecond), rss, pss, woken, idle)
	if woken != 0 {
		t.Errorf("%d wake-ups in %v with nothing to do", woken, idle)
	}
}

// wakeUps is how often the threads of a process have waited for something, in all.
func wakeUps(t *testing.T, pid int) int {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatal("no threads", err)
	}
	sum := 0
	for _, file := range threads {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			var n int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &n); err == nil {
				sum += n
			}
		}
	}
	return sum
}

// memory is a process's, in MB.
func memory(t *testing.T, pid int) (rss, pss float64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "Rss: %f kB", &kb); err == nil {
			rss = kb / 1000
		}
		if _, err := fmt.Sscanf(line, "Pss: %f kB", &kb); err == nil {
			pss = kb / 1000
		}
	}
	return rss, pss
}
