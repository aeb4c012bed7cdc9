package worker

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// tidyAfter is how long after the last connection ended the memory that it took is
// given back: the collector alone would keep it for minutes, or for ever.
const tidyAfter = 5 * time.Second

// memoryLimit is where the collector begins to run ever more often. A hundred channels that nobody
// reads hold 200 MiB, which must leave it at rest.
const memoryLimit = 512 << 20

// Tune sets the runtime to what one SSH connection needs: measured, one thread of Go
// code is faster than two for it, and a lazier collector than the default one costs
// little memory. What the environment says (GOMAXPROCS, GOGC, GOMEMLIMIT) wins.
func Tune() {
	tuneFor(1)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// tuneFor sets what depends on the number of SSH connections: several keep two threads busy.
func tuneFor(connections int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(connections, 2))
	}
}
