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

// ballast is memory that nobody touches, so that it takes none. The collector counts it, and so lets
// some 25 MiB of garbage come together where it would run each 12: each packet of a download leaves
// 40 KiB. A higher GOGC would let a hundred channels that nobody reads grow to gigabytes.
var ballast []byte

const ballastSize = 10 << 20

// Tune sets the runtime to what one SSH connection needs: measured, one thread of Go
// code is faster than two for it, and a lazier collector than the default one costs
// little memory. What the environment says (GOMAXPROCS, GOGC, GOMEMLIMIT) wins.
func Tune() {
	tuneFor(1)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
		ballast = make([]byte, ballastSize)
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
