package tray

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// lines is a writer of a log whose lines come out of a channel.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// startApp runs an App without a screen on the session bus. end ends its Run.
func startApp(t *testing.T, log io.Writer) (a *App, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a = NewApp()
	a.Client, a.Driver, a.Log = apitest.Dial(t), &menu{}, slog.New(slog.NewTextHandler(log, nil))
	a.Notifier = NewNotifier(ctx, apitest.Open(t), "", a.Log)
	a.Prompter.Dialog = func() (Dialog, error) { return &scripted{answer: "typed"}, nil }
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	end = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		ended <- nil
	}
	t.Cleanup(end)
	return a, end
}

// TestAppRegistersAgain has a daemon that takes no agent at first.
func TestAppRegistersAgain(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	backend := apitest.NewBackend()
	apitest.Serve(t, backend)
	var others []*dbus.Conn
	full := false
	for !full {
		conn := apitest.Connect(t)
		others = append(others, conn)
		for i := range 1000 {
			err := conn.Object(dbusapi.BusName, dbusapi.EntryPath).
				Call(dbusapi.ManagerInterface+".RegisterAgent", 0, dbus.ObjectPath(fmt.Sprintf("/agent/%d", i))).Err
			if err != nil {
				full = i == 0
				break
			}
		}
	}
	log := make(lines, 100)
	startApp(t, log)
	for line := range log {
		if strings.Contains(line, "could not answer questions") {
			break
		}
	}
	for _, conn := range others {
		conn.Close()
	}
	n, asker := 0, apitest.Dial(t)
	testbed.WaitFor(t, 20*time.Second, func() error { // until the daemon knows that the others are gone
		n++
		backend.Put(tunnel("db", tunnelfile.Retrying, fmt.Sprint(n)))
		answer, err := asker.Ask(t.Context(), "", "code", "Code?", true)
		if err == nil && answer != "typed" {
			t.Fatalf("answered %q", answer)
		}
		return err
	})
}

// TestAppEnded: what other goroutines send to a tray that has ended does not block them.
func TestAppEnded(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	a, end := startApp(t, io.Discard)
	end()
	sent := make(chan struct{})
	go func() {
		for range 10 * cap(a.calls) {
			a.PanelCame()
		}
		close(sent)
	}()
	select {
	case <-sent:
	case <-time.After(10 * time.Second):
		t.Fatal("a call waits for a tray that has ended")
	}
}
