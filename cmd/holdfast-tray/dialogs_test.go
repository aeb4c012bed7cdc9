//go:build cgo

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestDialogs has each of the programs that ask run on a screen, and somebody type.
func TestDialogs(t *testing.T) {
	const title = "Holdfast: my_db"
	question := tray.Question{Title: title, Text: "Password for DOMAIN\\nick_1@<b>host</b> & more\n\nfor the tunnel my_db to me@server", Yes: "Trust this key", No: "Do not connect"}
	for name, yes := range map[string][]string{
		"zenity":      {"Right", "Return"},
		"kdialog":     {"Down", "Return"},
		"pinentry-qt": {"Tab", "Return"},
	} {
		t.Run(name, func(t *testing.T) {
			need(t, "xfwm4", "xdotool", name)
			session(t)
			windowManager(t)
			dialog, err := tray.FindDialog(os.Environ(), func(program string) (string, error) {
				if program != name {
					return "", exec.ErrNotFound
				}
				return exec.LookPath(program)
			})
			if err != nil {
				t.Fatal(err)
			}
			// respond waits until the window has the keyboard, and types.
			respond := func(steps ...[]string) {
				eventually(t, "a window "+title+" with the keyboard", func() bool {
					found := windows(title)
					return len(found) > 0 && exec.Command("xdotool", "windowfocus", "--sync", found[0]).Run() == nil
				})
				for _, step := range steps {
					if out, err := exec.Command("xdotool", step...).CombinedOutput(); err != nil {
						t.Errorf("xdotool %v: %v %s", step, err, out)
					}
				}
			}
			limit, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			done := make(chan struct{})
			meanwhile := func(steps ...[]string) {
				go func() {
					defer func() { done <- struct{}{} }()
					respond(steps...)
				}()
			}
			meanwhile([]string{"type", "se%cret word"}, []string{"key", "Return"})
			answer, err := dialog.Ask(limit, question)
			<-done
			if err != nil || answer != "se%cret word" {
				t.Errorf("the dialog brought %q, %v", answer, err)
			}
			meanwhile([]string{"key", "Escape"})
			if _, err := dialog.Ask(limit, question); err == nil || !strings.Contains(err.Error(), "closed without an answer") {
				t.Errorf("Escape: %v", err)
			}
			<-done
			meanwhile(append([]string{"key"}, yes...))
			if ok, err := dialog.Confirm(limit, question); !ok || err != nil {
				t.Errorf("a yes: %v, %v", ok, err)
			}
			<-done
			for _, no := range []string{"Escape", "Return"} {
				meanwhile([]string{"key", no})
				if ok, err := dialog.Confirm(limit, question); ok || err != nil {
					t.Errorf("%s, a no: %v, %v", no, ok, err)
				}
				<-done
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				eventually(t, "a window "+title, func() bool { return len(windows(title)) > 0 })
				cancel()
			}()
			if _, err := dialog.Ask(ctx, question); err == nil {
				t.Error("no longer wanted, and yet answered")
			}
			eventually(t, "no window", func() bool { return len(windows(title)) == 0 })
		})
	}
}

// TestDialogEndsWithTray: a dialog that nobody listens to any more is a trap for secrets.
func TestDialogEndsWithTray(t *testing.T) {
	need(t, "xfwm4", "xdotool", "zenity")
	b := session(t)
	windowManager(t)
	w, _ := watch(t)
	apitest.Serve(t, b)
	b.Put(tunnel("db", tunnelfile.Connecting, ""))
	p := launch(t)
	i := w.icon(t)
	client := apitest.Dial(t)
	go func() {
		for t.Context().Err() == nil { // until the tray is an agent
			_, err := client.Ask(t.Context(), "db", "password", "me@db's password: ", false)
			if !errors.Is(err, dbusapi.ErrNoAgent) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	// It waits until it is called for.
	i.click(t, "db – needs you", "Enter password…")
	eventually(t, "a dialog", func() bool { return len(windows("Holdfast: db")) > 0 })
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no dialog", func() bool { return len(windows("Holdfast: db")) == 0 })
}
