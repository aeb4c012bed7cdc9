package worker

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// tidyAfter is how long after the last connection ended the memory that it took is
// given back: the collector alone would keep it for minutes, or for ever.
const tidyAfter = 8 * time.Second

// memoryLimit is where the collector begins to run ever more often. A hundred channels that nobody
// reads hold 200 MiB, which must leave it at rest. Where the unit may have less, it is three quarters
// of that.
const memoryLimit = 512 << 20

// GOGC of a tunnel that rests, where each megabyte counts and garbage comes slowly, and of one that
// moves much: each packet of a download leaves 40 KiB of garbage, and a heap of 32 MiB is collected
// a third as often as one of 12.
const (
	restingGOGC = 100
	busyGOGC    = 800
)

// pace sets GOGC by how fast garbage comes. The collector finds nobody who needs it, and so calls it
// once a cycle.
type pace struct {
	last    time.Time // when a cycle ended
	percent int
}

func newPace() {
	p := &pace{time.Now(), restingGOGC}
	debug.SetGCPercent(p.percent)
	runtime.SetFinalizer(p, (*pace).cycleEnded)
}

func (p *pace) cycleEnded() {
	now, before := time.Now(), p.percent
	if p.percent = restingGOGC; now.Sub(p.last) < time.Second {
		p.percent = busyGOGC
	}
	if p.last = now; p.percent != before {
		debug.SetGCPercent(p.percent)
	}
	runtime.SetFinalizer(p, (*pace).cycleEnded)
}

// untidy is more memory of its own than a tunnel at rest has.
const untidy = 4 << 20

// tidyUp gives back the memory that a transfer has taken. Where there was none it leaves the collector
// alone, whose lists of what is free take more than it would find. The runtime's own figures are not
// asked, because it makes the same lists for them.
func tidyUp() {
	var size, resident, shared int // in pages, see proc(5)
	statm, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(statm), &size, &resident, &shared)
	if (resident-shared)*os.Getpagesize() > untidy {
		runtime.GC() // pools keep what is in them for one cycle
		debug.FreeOSMemory()
	}
}

// Tune sets the runtime to what one SSH connection needs: measured, one thread of Go
// code is faster than two for it. What the environment says (GOMAXPROCS, GOGC, GOMEMLIMIT) wins.
func Tune() {
	tuneFor(1)
	if os.Getenv("GOGC") == "" {
		newPace()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(min(memoryLimit, memoryMax("/proc/self/cgroup", "/sys/fs/cgroup")/4*3))
	}
}

// memoryMax is what MemoryMax= of the unit, or a container, allows. The rest of it is for what is not
// Go's, and for the collector to come in time.
func memoryMax(self, root string) int64 {
	text, _ := os.ReadFile(self)
	_, group, _ := strings.Cut(string(text), "0::") // see cgroups(7)
	limit, _ := os.ReadFile(filepath.Join(root, strings.TrimSpace(group), "memory.max"))
	if n, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil {
		return n
	}
	return math.MaxInt64 // "max", or not known
}

// tuneFor sets what depends on the number of SSH connections: several keep two threads busy.
func tuneFor(connections int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(connections, 2))
	}
}
