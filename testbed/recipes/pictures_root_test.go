//go:build testbed

package recipes

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/holdfast/holdfast/testbed"
)

// TestPictures makes the pictures of docs/pictures.md in the folder that HOLDFAST_PICTURES names:
// what the command line shows of real tunnels, on a terminal of 80 columns.
func TestPictures(t *testing.T) {
	testbed.NeedRootBox(t)
	folder := os.Getenv("HOLDFAST_PICTURES")
	if folder == "" {
		t.Skip("make screenshots runs it")
	}
	testbed.Need(t, "tmux")
	w := newWorld(t)
	w.dir = t.TempDir()
	t.Cleanup(w.clear)
	server := testbed.StartServer(t, testbed.ServerOptions{Addr: "127.0.0.3", Port: 22, User: "me"})
	w.know(server, "ca.example")
	w.as("systemctl", "--user", "enable", "--now", "holdfastd")
	for _, command := range []string{
		"add db -L 5432:db.internal:5432 me@bastion.example", "add preview -R 8080:localhost:3000 me@server.example",
		"add proxy --on-demand -D 1080 me@gate.example", "add signald --on-demand -L " + w.person.RuntimeDir + "/signald.sock:/run/signald/signald.sock me@home.example",
		"add deploy --manual -L 8084:localhost:80 me@ca.example", "add backup --manual -R 2222:localhost:22 me@127.0.0.4",
		"add nas --manual -L 8445:localhost:445 me@nas.example", "set nas OnlyOn=home-lan Description=Files",
		"up db preview proxy",
	} {
		w.as(append([]string{"holdfast"}, strings.Fields(command)...)...)
	}
	testbed.Output(w.person.Argv("holdfast", "up", "--no-wait", "nas", "backup")...)
	w.picture(folder, "up", 30, "holdfast up --timeout=4s deploy nas backup", "")
	w.server.Stop()
	w.await("db", "retrying [")
	w.server.Start()
	w.await("db", "up: 1 forward")
	w.await("preview", "up: 1 forward")
	defer w.traffic("127.0.0.1:5432")()
	w.picture(folder, "list", 30, "holdfast list", "")
	w.picture(folder, "status", 40, "holdfast status db", "")
	w.picture(folder, "check", 60, "holdfast check db", "")
	w.picture(folder, "history", 60, "holdfast history", "")
	w.picture(folder, "top", 24, "holdfast top", "▁▂▃▄▅▆▇█")
}

// traffic sends and receives through an address until it is stopped.
func (w *world) traffic(address string) (stop func()) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		w.Fatal(err)
	}
	go func() {
		for buffer := make([]byte, 1<<16); ; {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
		}
	}()
	go func() {
		for i := 0; ; i++ {
			if _, err := conn.Write(bytes.Repeat([]byte("holdfast"), 1+500*(i*i%17))); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond) // the pace of the traffic, not a wait
		}
	}()
	return func() { conn.Close() }
}

// picture runs a command in a terminal and draws what is there when it has ended or, for one that
// stays, when a dozen of these characters are to be seen.
func (w *world) picture(folder, name string, rows int, command, shows string) {
	w.Helper()
	settings := filepath.Join(w.dir, "tmux.conf")
	w.write(settings, "set -g status off\nset -g default-terminal tmux-256color\n", 0o644)
	for _, dir := range []string{filepath.Dir(w.dir), w.dir} {
		if err := os.Chmod(dir, 0o755); err != nil {
			w.Fatal(err)
		}
	}
	tmux := func(argv ...string) string {
		return w.as(append([]string{"env", "LANG=C.UTF-8", "TERM=xterm-256color", "tmux", "-u", "-f", settings, "-L", name}, argv...)...)
	}
	run := command
	if shows == "" {
		run = fmt.Sprintf("printf '\\033[1m$ %s\\033[m\\n'; %s; tmux -L %s wait-for -S ended; sleep 100", command, command, name)
	}
	tmux("new-session", "-d", "-x", "80", "-y", fmt.Sprint(rows), run)
	if shows == "" {
		tmux("wait-for", "ended")
	} else {
		testbed.WaitFor(w, 60*time.Second, func() error {
			screen := tmux("capture-pane", "-p")
			bars := strings.FieldsFunc(screen, func(r rune) bool { return !strings.ContainsRune(shows, r) })
			if n := utf8.RuneCountInString(strings.Join(bars, "")); n < 12 {
				return fmt.Errorf("%d bars", n)
			}
			return nil
		})
	}
	screen := tmux("capture-pane", "-e", "-p")
	tmux("kill-server")
	w.write(filepath.Join(folder, name+".svg"), SVG(screen, 80), 0o644)
}
