//go:build testbed

package e2e

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestBrokenFiles: ten mistakes get ten messages with their lines, and the good ones run.
func TestBrokenFiles(t *testing.T) {
	d := newDesk(t)
	_, first := d.echoTunnel(t, "good-1", "")
	second := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	d.write("good-2", "[Tunnel]\nDestination=server\nLocalForward="+second+" "+target+"\n")
	broken := []struct {
		name, text string
		line       int
	}{
		{"bad-key", "[Tunnel]\nDestination=server\nLocalFroward=1:h:2\n", 3},
		{"bad-section", "[Tunel]\nDestination=server\n", 1},
		{"bad-port", "[Tunnel]\nDestination=server\nLocalForward=70000:h:2\n", 3},
		{"bad-forward", "[Tunnel]\nDestination=server\n\nRemoteForward=what is this\n", 4},
		{"bad-start", "[Tunnel]\nDestination=server\nStart=sometimes\n", 3},
		{"bad-time", "[Tunnel]\nDestination=server\nHoldTimeout=soon\n", 3},
		{"no-destination", "[Tunnel]\nLocalForward=1234:h:2\n", 0},
		{"bad-line", "[Tunnel]\nDestination=server\nthis is no assignment\n", 3},
		{"bad-service", "[Tunnel]\nDestination=server\n[Service]\nMemoryMaxx=1G\n", 4},
		{"bad-bool", "[Tunnel]\nDestination=server\nMetered=perhaps\n", 3},
	}
	for _, b := range broken {
		d.write(b.name, b.text)
	}
	d.holdfast("up", "good-1", "good-2")
	for _, local := range []string{first, second} {
		testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	}
	list := d.holdfast("list")
	t.Logf("list:\n%s", list)
	problems, err := busctl("get-property", busName, entryPath, busName+".Manager", "Problems")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("Problems:\n%s", problems)
	for _, b := range broken {
		pattern := regexp.MustCompile(regexp.QuoteMeta("/"+b.name+".tunnel") + fmt.Sprintf(`" %d `, b.line))
		if b.line == 0 {
			pattern = regexp.MustCompile(regexp.QuoteMeta("/" + b.name + ".tunnel"))
		}
		if !pattern.MatchString(problems) {
			t.Errorf("Problems does not name %s.tunnel line %d", b.name, b.line)
		}
		if !strings.Contains(list, b.name+".tunnel") {
			t.Errorf("list does not name %s.tunnel", b.name)
		}
	}

	// A mended one comes up by itself.
	third := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	d.write("bad-key", "[Tunnel]\nDestination=server\nLocalForward="+third+" "+target+"\n")
	d.awaitState("bad-key", tunnelfile.Up, 10*time.Second)
	// A good one that is broken while it runs goes on running.
	d.write("good-1", "[Tunnel]\nDestinaton=server\n")
	testbed.WaitFor(t, 20*time.Second, func() error {
		problems, err := busctl("get-property", busName, entryPath, busName+".Manager", "Problems")
		if err != nil || !strings.Contains(problems, "good-1") {
			return fmt.Errorf("Problems does not name good-1.tunnel: %s %v", problems, err)
		}
		return nil
	})
	testbed.CheckEcho(t, dial(t, first), 1<<20, 20*time.Second)
}

// TestStatusAndJournal: systemctl and journalctl read well.
func TestStatusAndJournal(t *testing.T) {
	d := newDesk(t)
	s, local := d.echoTunnel(t, "reading", "Description=A tunnel to read about\nStart=manual\nRetryMax=1s\n")
	d.holdfast("up", "reading")
	testbed.CheckEcho(t, dial(t, local), 1<<20, 20*time.Second)
	s.Kill()
	testbed.WaitFor(t, 10*time.Second, func() error {
		if text := property(tunnelfile.ServiceName("reading"), "StatusText"); !strings.Contains(text, "refused") {
			return fmt.Errorf("StatusText is %q", text)
		}
		return nil
	})
	s.Start()
	d.awaitState("reading", tunnelfile.Up, 10*time.Second)
	status, err := as("systemctl", "--user", "--no-pager", "--full", "status", "holdfast-tunnel@*")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("systemctl --user status:\n%s", status)
	for _, want := range []string{"A tunnel to read about", "active (running)", "active (running)", `Status: "up: 1 forward`, "app-holdfast.slice", "TriggeredBy"} {
		if !strings.Contains(status, want) {
			t.Errorf("status does not say %q", want)
		}
	}
	journal := d.journal(tunnelfile.ServiceName("reading"))
	t.Logf("journal:\n%s", journal)
	logs := d.holdfast("logs", "reading")
	for _, want := range []string{"server", "refused"} {
		if !strings.Contains(journal, want) {
			t.Errorf("the journal does not say %q", want)
		}
		if !strings.Contains(logs, want) {
			t.Errorf("holdfast logs does not say %q", want)
		}
	}
	for _, filter := range [][]string{{"HOLDFAST_EVENT=state", "HOLDFAST_STATE=up", "HOLDFAST_TUNNEL=reading"}, {"HOLDFAST_REASON=unreachable"}} {
		if found, err := as(append([]string{"journalctl", "--user", "-q", "-o", "cat"}, filter...)...); err != nil || found == "" {
			t.Errorf("no entry has the fields %q: %v", filter, err)
		}
	}
	warnings, _ := as("journalctl", "--user", "-q", "-o", "cat", "-p", "warning", "--user-unit", tunnelfile.ServiceName("reading"))
	if strings.Count(warnings, "\n") != 1 || !strings.Contains(warnings, "retrying [") {
		t.Errorf("warnings of one outage:\n%s", warnings)
	}
	if n := strings.Count(journal, "\n"); n > 40 {
		t.Errorf("%d lines for one outage", n)
	}
}

// TestTargetIsNotReached: a forward whose target refuses says so where people look, and the
// tunnel is up all the same.
func TestTargetIsNotReached(t *testing.T) {
	d := newDesk(t)
	listen := testbed.FreePort(t)
	d.echoTunnel(t, "aim", fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:%d\n", listen, testbed.FreePort(t)))
	d.awaitState("aim", tunnelfile.Up, 20*time.Second)
	for range 3 {
		if err := testbed.Refusal("tcp", fmt.Sprintf("127.0.0.1:%d", listen)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("a connection whose target refuses: %v, want a reset", err)
		}
	}
	testbed.WaitFor(t, 20*time.Second, func() error {
		if text := d.holdfast("status", "aim"); !strings.Contains(text, "refuses connections, 3 times, last ") || !strings.Contains(text, "State:  up") {
			return errors.New(text)
		}
		return nil
	})
	if text := d.holdfast("list"); !strings.Contains(text, "refuses connections, 3") {
		t.Logf("list says\n%s", text)
	}
	t.Log(d.holdfast("status", "aim"))
}

// TestDemo: the demo succeeds and leaves nothing, with the daemon installed.
func TestDemo(t *testing.T) {
	d := newDesk(t)
	out := d.holdfast("demo")
	t.Logf("demo:\n%s", out)
	if units := d.units(); len(units) > 0 {
		t.Errorf("left: %v", units)
	}
	if exists(d.config + "/demo.tunnel") {
		t.Error("left its tunnel file")
	}
}
