package cli_test

import (
	"encoding/json"
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
	"github.com/holdfast/holdfast/worker"
)

// standInTunnel is what holdfast asks of holdfast-tunnel, without a machine and a server to look at.
func standInTunnel() {
	name, _ := tunnelfile.NameOfFile(os.Args[len(os.Args)-1])
	has := func(flag string) bool { return slices.Contains(os.Args, flag) }
	explanation := worker.Explanation{
		Name: name, Destination: "me@server.invalid", HostName: "server.invalid", Port: 22, User: "me", Transport: "native", Reason: "nothing here needs another",
		DropIns: []string{filepath.Join(os.Getenv("HOME"), ".config/holdfast", name+".tunnel.d/10-more.conf")},
		Settings: []worker.Explained{
			{Section: "Tunnel", Keyword: "LocalForward", Value: "5433:db.internal:5432", Source: "~/.config/holdfast/" + name + ".tunnel:4", Written: true},
			{Section: "Tunnel", Keyword: "RetryMax", Value: "9s", Source: "~/.config/holdfast/" + name + ".tunnel.d/10-more.conf:2", Written: true},
			{Section: "SSH", Keyword: "IdentityFile", Value: "~/.ssh/id_ed25519", Source: "~/.ssh/config:2", Written: true},
			{Section: "SSH", Keyword: "LocalForward", Value: "8080 [localhost]:80", Source: "~/.ssh/config:3", Written: true, Note: "not served: the tunnel file names its own forwards"},
			{Section: "SSH", Keyword: "ServerAliveInterval", Value: "10", Source: "Holdfast's default"},
		},
	}
	var err error
	switch {
	case has("--print-config") && has("--json"):
		err = json.NewEncoder(os.Stdout).Encode(explanation)
	case has("--print-config"):
		err = explanation.Print(os.Stdout, has("--all"), has("--tabs"))
	default:
		err = json.NewEncoder(os.Stdout).Encode([]tunnelfile.Finding{
			{Subject: tunnelfile.SubjectFile, Severity: tunnelfile.FindingOK, Message: "its file is well"},
			{Subject: tunnelfile.SubjectLogin, Severity: tunnelfile.Trouble, Message: "server.invalid refused every way to log in as me (it takes publickey)", Mend: "ssh-copy-id me@server.invalid"},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
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
