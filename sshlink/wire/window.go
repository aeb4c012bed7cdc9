package wire

import (
	"sync"
	"sync/atomic"
	"time"
)

// The receive window of a channel bounds what the server sends within a round trip. x/crypto
// gives each channel firstWindow, as OpenSSH does, which a long line can carry in a fraction of
// its round trip. So the window of a stream that fills it within a round trip grows, as TCP's own
// does; what the windows of all channels come to is bounded.
const (
	firstWindow  = 2 << 20
	largeWindow  = 15 << 20 // of one channel
	windowBudget = 64 << 20 // of all channels of this process
	creditAfter  = 256 << 10
)

// windows is what the windows of all channels come to.
var windows atomic.Int64

// window is the receive window of one channel. All but close is for whoever reads.
type window struct {
	size     int64 // what the server may send, or has sent and was not credited
	wanted   int64 // where size goes: it shrinks as the stream is read
	consumed int64 // what was read and not credited yet

	since time.Time // begin of the measurement under way
	read  int64     // in it

	mu     sync.Mutex // for changes of size, which close looks at
	closed bool
}

// open makes room for a channel's first window.
func (w *window) open() {
	w.wanted = firstWindow
	w.resize(firstWindow)
}

// close gives back what the window took.
func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		windows.Add(-w.size)
	}
}

// resize adds to the size, unless all windows would come to more than they may.
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

// take notes n bytes that were read and returns how many the server may be told to send more.
// rtt is asked for the round trip now and then; 0: it is not known.
func (w *window) take(n int, rtt func() time.Duration) (credit uint32) {
	w.consumed += int64(n)
	w.read += int64(n)
	if w.read >= w.size {
		w.measure(time.Now(), rtt())
	}
	if w.consumed < creditAfter {
		return 0
	}
	if surplus := min(w.size-w.wanted, w.consumed); surplus > 0 && w.resize(-surplus) {
		w.consumed -= surplus
	}
	credit = uint32(w.consumed)
	w.consumed = 0
	return credit
}

// measure ends a measurement: as much was read as the window holds.
func (w *window) measure(now time.Time, trip time.Duration) {
	took, first := now.Sub(w.since), w.since.IsZero()
	w.since, w.read = now, 0
	switch {
	case first || trip == 0:
	case took > 8*trip || windows.Load() > windowBudget:
		w.wanted = max(firstWindow, w.size/2)
	case took <= 2*trip && took > trip/2: // what comes faster lay here already
		w.grow()
	}
}

// grow doubles the window, as far as there is room. The server is told with the next credit.
func (w *window) grow() {
	if more := min(w.size, largeWindow-w.size); more > 0 && w.resize(more) {
		w.consumed += more
	}
	w.wanted = w.size
}
