package cli_test

import (
	"context"
	"errors"
	"os/exec"
	"testing"

	"github.com/holdfast/holdfast/dbusapi/apitest"
)

// lastWords is a daemon that fails as it removes tunnels: before it did so, or before it could answer.
type lastWords struct {
	*apitest.Backend
	removes bool
}

func (l lastWords) RemoveTunnel(ctx context.Context, name string) error {
	if name != "old" {
		return l.Backend.RemoveTunnel(ctx, name)
	}
	if l.removes {
		if err := l.Backend.RemoveTunnel(ctx, name); err != nil {
			return err
		}
	}
	return errors.New("killed")
}

// TestRenameInterrupted: one of the two files is always there, and only one.
func TestRenameInterrupted(t *testing.T) {
	for want, daemon := range map[string]lastWords{"old": {removes: false}, "new": {removes: true}} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
		t.Setenv("HOME", t.TempDir())
		daemon.Backend = apitest.NewBackend()
		if err := daemon.AddTunnel(t.Context(), "old", "[Tunnel]\nDestination=host\nDynamicForward=1080\nStart=manual\n"); err != nil {
			t.Fatal(err)
		}
		stop := apitest.Serve(t, daemon)
		out, err := exec.Command("holdfast", "rename", "old", "new").CombinedOutput()
		if (err == nil) != (want == "new") {
			t.Errorf("%v: %s", err, out)
		}
		left, err := daemon.Tunnels(t.Context())
		if err != nil || len(left) != 1 || left[0].Name != want {
			t.Errorf("left: %v, %v, want %s\n%s", left, err, want, out)
		}
		stop()
	}
}
