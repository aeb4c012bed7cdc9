//go:build testbed

package netwatch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestRealLogind holds that an ordinary user's process gets its inhibitor from the real
// logind, of the kind that delays, and that it is gone with the watcher.
func TestRealLogind(t *testing.T) {
	testbed.NeedBox(t)
	testbed.Need(t, "systemd-inhibit")
	inhibits := func() bool {
		for _, line := range strings.Split(testbed.Command(t, "systemd-inhibit", "--list", "--no-legend", "--no-pager"), "\n") {
			if strings.Contains(line, "Holdfast") && strings.Contains(line, "sleep") && strings.Contains(line, "delay") {
				return true
			}
		}
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	Watch(ctx, Config{Log: slog.New(slog.DiscardHandler)})
	testbed.WaitFor(t, 10*time.Second, func() error {
		if !inhibits() {
			return errors.New("no inhibitor")
		}
		return nil
	})
	cancel()
	testbed.WaitFor(t, 10*time.Second, func() error {
		if inhibits() {
			return errors.New("still inhibited")
		}
		return nil
	})
}
