package keeper

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
)

func TestUnusedTimeoutIsNamed(t *testing.T) {
	closed := fault.Because(fault.Lost, io.EOF, "host closed the connection")
	for _, c := range []struct {
		what           string
		why            error
		unused, before time.Duration
		named          bool
		now            time.Duration
	}{
		{"the first time", closed, time.Minute, 0, false, time.Minute},
		{"the second", closed, time.Minute + time.Second, time.Minute, true, time.Minute + time.Second},
		{"after another time", closed, time.Hour, time.Minute, false, time.Hour},
		{"while in use", closed, 0, time.Minute, false, 0},
		{"a channel ended with it", closed, time.Millisecond, time.Minute, false, 0},
		{"with a reset", errors.New("connection reset by peer"), time.Minute, time.Minute, false, 0},
	} {
		now, err := nameUnusedTimeout(c.why, c.unused, c.before)
		if strings.Contains(err.Error(), "UnusedConnectionTimeout") != c.named || now != c.now || !errors.Is(err, c.why) {
			t.Errorf("%s: %v, %s", c.what, err, now)
		}
	}
}
