package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// standInTunnel is what holdfast asks of holdfast-tunnel, without a machine and a server to look at.
func standInTunnel() {
	name, _ := tunnelfile.NameOfFile(os.Args[len(os.Args)-1])
	config := filepath.Join("~/.config/holdfast", name+".tunnel")
	rows := [][]string{
		{name + " goes to me@server.invalid, which is me@server.invalid:22"}, {"transport: native (nothing here needs another)"}, {"drop-in: " + config + ".d/10-more.conf"}, {""},
		{"[Tunnel]"}, {"  LocalForward", "5433:db.internal:5432", config + ":4"}, {"  RetryMax", "9s", config + ".d/10-more.conf:2"}, {""},
		{"[SSH] and ssh_config(5)"}, {"  IdentityFile", "~/.ssh/id_ed25519", "~/.ssh/config:2"},
		{"  LocalForward", "8080 [localhost]:80", "~/.ssh/config:3", "not served: the tunnel file names its own forwards"}, {"  ServerAliveInterval", "10", "Holdfast's default"}, {""},
		{"Left out: 70 settings of ssh that nobody wrote or that mean nothing to a tunnel. --all shows them."},
	}
	between := "   "
	switch has := func(flag string) bool { return slices.Contains(os.Args, flag) }; {
	case has("--check"):
		fmt.Println(`[{"subject":"file","severity":"ok","message":"its file is well","mend":""},
			{"subject":"login","severity":"problem","message":"server.invalid refused every way to log in as me (it takes publickey)","mend":"ssh-copy-id me@server.invalid"}]`)
		return
	case has("--json"):
		fmt.Printf(`{"name":%q,"settings":[{"section":"Tunnel","keyword":"RetryMax","value":"9s"}]}`+"\n", name)
		return
	case has("--tabs"):
		between = "\t"
	}
	for _, row := range rows {
		fmt.Println(strings.Join(row, between))
	}
}

// realJournal is journalctl(1) itself, for the journal of a test where $JOURNAL names one.
func realJournal() {
	args := []string{"journalctl"}
	if dir := os.Getenv("JOURNAL"); dir != "" {
		args = append(args, "--directory="+dir)
	}
	_, after, _ := strings.Cut(os.Getenv("PATH"), ":") // without this one
	os.Setenv("PATH", after)
	path, err := exec.LookPath("journalctl")
	if err == nil {
		err = syscall.Exec(path, append(args, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// pastWeek is a journal of ten days: web was lost twice, db is refused, mail is well.
func pastWeek(t testing.TB) (directory string) {
	var j testbed.Journal
	now, uid, boot := time.Now(), strconv.Itoa(os.Getuid()), strings.Repeat("1", 32)
	booted := now.Add(-10 * 24 * time.Hour)
	for _, e := range []struct {
		ago, name string
		event     journal.Event
	}{
		{"239h", "web", journal.Event{Kind: journal.State, State: "up", Status: "2 forwards, rtt 12 ms"}},
		{"239h", "mail", journal.Event{Kind: journal.State, State: "up", Status: "3 forwards, rtt 31 ms"}},
		{"100h", "web", journal.Event{Kind: journal.State, State: "retrying", Reason: "unreachable", Status: "in 8s, cannot connect to 198.51.100.2 port 22: no route to host"}},
		{"98h30m", "web", journal.Event{Kind: journal.State, State: "up", Status: "2 forwards, rtt 12 ms"}},
		{"50h", "web", journal.Event{Kind: journal.Lost, Reason: "lost", Status: "the connection to server was lost: the server closed the connection"}},
		{"50h", "web", journal.Event{Kind: journal.State, State: "connecting"}},
		{"49h58m30s", "web", journal.Event{Kind: journal.State, State: "up", Status: "2 forwards, rtt 12 ms"}},
		{"4h", "db", journal.Event{Kind: journal.State, State: "connecting"}},
		{"4h", "db", journal.Event{Kind: journal.State, State: "blocked", Reason: "denied", Status: "the server refused every way to authenticate (publickey)"}},
		{"1h30m", "mail", journal.Event{Kind: journal.State, State: "up", Status: "3 forwards, rtt 30 ms"}}, // when the machine was put off
	} {
		ago, err := time.ParseDuration(e.ago)
		if err != nil {
			t.Fatal(err)
		}
		message := e.event.Status
		if e.event.Kind == journal.State {
			message = tunnelfile.Status{State: tunnelfile.State(e.event.State), Text: e.event.Status}.String()
		}
		j.Add(now.Add(-ago), booted, boot, "_UID", uid, "_SYSTEMD_USER_UNIT", tunnelfile.ServiceName(e.name), "HOLDFAST_TUNNEL", e.name, "PRIORITY", "6",
			"MESSAGE_ID", e.event.MessageID(), "HOLDFAST_EVENT", string(e.event.Kind), "HOLDFAST_STATE", e.event.State, "HOLDFAST_REASON", e.event.Reason, "HOLDFAST_STATUS", e.event.Status, "MESSAGE", message)
	}
	return j.Write(t)
}
