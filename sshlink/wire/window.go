package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// The receive window of a channel limits what the server sends in one round trip. x/crypto gives
// each channel firstWindow, as OpenSSH does. A fast line with a long round trip can carry much
// more. So the window grows, as TCP's own does, if a stream fills it within a round trip. The sum
// of all windows is limited. All sizes are in bytes.
const (
	firstWindow  = 2 << 20
	largeWindow  = 15 << 20 // of one channel
	windowBudget = 64 << 20 // of all channels of this process

	creditAfter  = 256 << 10       // a credit comes after so many bytes were read
	relaxedAfter = firstWindow / 2 // the same, of a stream that the window does not limit
)

// windows is the sum of the windows of all channels.
var windows atomic.Int64

// window is the receive window of one channel. Only the goroutine that reads uses it, except for
// close.
type window struct {
	size     int64 // what the server may send, or has sent and was not credited for
	wanted   int64 // what size shrinks to as the stream is read
	consumed int64 // what was read and is not credited yet
	batch    int64 // a credit comes when consumed has reached this

	since time.Time // start of the current measurement
	read  int64     // bytes read in the current measurement

	mu     sync.Mutex // for changes of size, which close reads
	closed bool
}

// open gives a channel its first window.
func (w *window) open() {
	w.wanted, w.batch = firstWindow, creditAfter
	w.resize(firstWindow)
}

// close gives the size back to the budget.
func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		windows.Add(-w.size)
	}
}

// resize adds to the size. It returns false if the window is closed, or if it has a size already
// and all windows together would exceed windowBudget.
func (w *window) resize(by int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	if windows.Add(by) > windowBudget && by > 0 && w.size > 0 {
		windows.Add(-by)
		return false
	}
	w.size += by
	return true
}

// take notes that n bytes were read, and returns how many more the server may now send. rtt returns
// the round trip, or 0 if it is not known.
func (w *window) take(n int, rtt func() time.Duration) (credit uint32) {
	w.consumed += int64(n)
	w.read += int64(n)
	if w.read >= w.size {
		w.measure(time.Now(), rtt())
	}
	if w.consumed < w.batch {
		return 0
	}
	if surplus := min(w.size-w.wanted, w.consumed); surplus > 0 && w.resize(-surplus) {
		w.consumed -= surplus
	}
	credit = uint32(w.consumed)
	w.consumed = 0
	return credit
}

// measure ends a measurement, in which as many bytes were read as the window holds.
func (w *window) measure(now time.Time, trip time.Duration) {
	took, first := now.Sub(w.since), w.since.IsZero()
	w.since, w.read, w.batch = now, 0, creditAfter
	if !first && trip > 0 && took > 4*trip {
		w.batch = relaxedAfter // a credit costs each side a packet and a wake-up
	}
	switch {
	case first || trip == 0:
	case took > 8*trip || windows.Load() > windowBudget:
		w.wanted = max(firstWindow, w.size/2)
	case took <= 2*trip && took > trip/2: // faster data was here already
		w.grow()
	}
}

// grow doubles the window, if there is room. The server learns of it with the next credit.
func (w *window) grow() {
	if more := min(w.size, largeWindow-w.size); more > 0 && w.resize(more) {
		w.consumed += more
	}
	w.wanted = w.size
}
