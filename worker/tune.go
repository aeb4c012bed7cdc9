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

// freeMemoryAfter is how long after the end of the last connection its memory goes back to the system.
// The collector alone would keep that memory for minutes, or for ever.
const freeMemoryAfter = 8 * time.Second

// memoryLimit is the GOMEMLIMIT in bytes: near it the collector runs more and more often. A hundred
// channels that nobody reads need 200 MiB, which must stay well below. If the unit's MemoryMax= is
// low, the limit is three quarters of that; see Tune.
const memoryLimit = 512 << 20

// GOGC of a tunnel at rest and of a busy one. At rest each megabyte counts, and garbage comes
// slowly. In a download each packet leaves 40 KiB of garbage, and a heap of 32 MiB is collected a
// third as often as one of 12 MiB.
const (
	restingGOGC = 100
	busyGOGC    = 800
)

// gcPace sets GOGC by how fast garbage comes. Nothing refers to it, so the collector calls its
// finalizer, cycleEnded, once in each cycle.
type gcPace struct {
	last    time.Time // when the last cycle ended
	percent int
}

func newGCPace() {
	p := &gcPace{time.Now(), restingGOGC}
	debug.SetGCPercent(p.percent)
	runtime.SetFinalizer(p, (*gcPace).cycleEnded)
}

func (p *gcPace) cycleEnded() {
	now, before := time.Now(), p.percent
	if p.percent = restingGOGC; now.Sub(p.last) < time.Second {
		p.percent = busyGOGC
	}
	if p.last = now; p.percent != before {
		debug.SetGCPercent(p.percent)
	}
	runtime.SetFinalizer(p, (*gcPace).cycleEnded)
}

// restingMemory is the private memory, in bytes, above which freeMemory gives memory back. A tunnel at rest
// has less.
const restingMemory = 4 << 20

// freeMemory gives the memory of a transfer back to the system. If there was no transfer it does not
// run the collector, because the collector's lists of free memory would need more than it frees.
// It reads proc(5) and not runtime.MemStats, because that makes the same lists.
func freeMemory() {
	var size, resident, shared int // in pages, see proc(5)
	statm, _ := os.ReadFile("/proc/self/statm")
	fmt.Sscan(string(statm), &size, &resident, &shared)
	if (resident-shared)*os.Getpagesize() > restingMemory {
		runtime.GC() // a sync.Pool keeps its content for one more cycle
		debug.FreeOSMemory()
	}
}

// Tune sets the Go runtime to what one SSH connection needs. Measurements show that one thread of
// Go code is faster than two for it. GOMAXPROCS, GOGC and GOMEMLIMIT in the environment take
// precedence.
func Tune() {
	tuneFor(1)
	if os.Getenv("GOGC") == "" {
		newGCPace()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(min(memoryLimit, memoryMax("/proc/self/cgroup", "/sys/fs/cgroup")/4*3))
	}
}

// memoryMax is the memory in bytes that MemoryMax= of the unit, or a container, allows. Tune leaves
// a quarter of it for memory outside the Go heap, and so that the collector runs in time.
func memoryMax(self, root string) int64 {
	text, _ := os.ReadFile(self)
	_, group, _ := strings.Cut(string(text), "0::") // see cgroups(7)
	limit, _ := os.ReadFile(filepath.Join(root, strings.TrimSpace(group), "memory.max"))
	if n, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil {
		return n
	}
	return math.MaxInt64 // "max", or it could not be read
}

// tuneFor sets GOMAXPROCS for a number of SSH connections: several connections use two threads.
func tuneFor(connections int) {
	n, err := strconv.Atoi(os.Getenv("GOMAXPROCS"))
	if err != nil || n <= 0 {
		n = min(connections, 2)
	}
	runtime.GOMAXPROCS(n)
}
