package worker

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// explained writes a tunnel file, its drop-ins and an ssh_config(5) that it includes by
// nothing but [SSH], and explains it. Values are "SECTION KEYWORD=VALUE from SOURCE".
func explained(t *testing.T, files map[string]string) (Explanation, []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Explain(t.Context(), filepath.Join(dir, "web.tunnel"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, x := range e.Settings {
		all = append(all, x.Section+" "+x.Keyword+"="+x.Value+" from "+strings.TrimPrefix(x.Source, dir+"/"))
	}
	return e, all
}

// TestExplain: each setting has its own line, also one that is written with its default.
func TestExplain(t *testing.T) {
	testbed.Need(t, "ssh")
	e, all := explained(t, map[string]string{
		"web.tunnel":           "[Tunnel]\nDestination=me@localhost\nGateTime=30s\nLocalForward=1 h:1\n[SSH]\nport=2222\nProxyJump=one@127.0.0.1:23,two\n[Service]\nMemoryMax=1G\n",
		"web.tunnel.d/10.conf": "[Tunnel]\nRetryMax=5s\n[SSH]\nServerAliveInterval=7\n",
	})
	for _, want := range []string{
		"Tunnel Destination=me@localhost from web.tunnel:2",
		"Tunnel GateTime=30s from web.tunnel:3",
		"Tunnel LocalForward=1 h:1 from web.tunnel:4",
		"Tunnel RetryMax=5s from web.tunnel.d/10.conf:2",
		"Tunnel MaxHeld=256 from Holdfast's default",
		"SSH Port=2222 from web.tunnel:6",
		"SSH User=me from the destination",
		"SSH ServerAliveInterval=7 from web.tunnel.d/10.conf:4",
		"SSH ConnectTimeout=15 from Holdfast's default",
		"SSH AddressFamily=any from ssh's default",
		"Service MemoryMax=1G from web.tunnel:9",
	} {
		if !slices.Contains(all, want) {
			t.Errorf("it does not say %q:\n%s", want, strings.Join(all, "\n"))
		}
	}
	if len(e.DropIns) != 1 || e.Transport != "native" || e.Reason == "" || e.User != "me" || e.Port != 2222 {
		t.Errorf("%+v", e)
	}
	if len(e.Hops) != 2 || e.Hops[0].User != "one" || e.Hops[0].Port != 23 || e.Hops[1].Host != "two" {
		t.Fatalf("hops: %+v", e.Hops)
	}
	for _, x := range e.Hops[1].Settings {
		if x.Keyword == "ProxyJump" && x.Source != "ProxyJump of localhost" || x.Keyword == "HostName" && x.Source != "ProxyJump of localhost" {
			t.Errorf("%+v", x)
		}
	}
	var short, long strings.Builder
	if err := e.Print(&short, false, false); err != nil {
		t.Fatal(err)
	}
	if err := e.Print(&long, true, false); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"VisualHostKey", "CASignatureAlgorithms"} {
		if strings.Contains(short.String(), hidden) || !strings.Contains(long.String(), hidden) {
			t.Errorf("%s: in short\n%s", hidden, short.String())
		}
	}
	if strings.Index(short.String(), "GateTime") > strings.Index(short.String(), "Description") {
		t.Errorf("what somebody wrote does not come first:\n%s", short.String())
	}
	if !strings.Contains(short.String(), "by way of two") || strings.Contains(long.String(), "Left out") {
		t.Errorf("%s", short.String())
	}
}

// TestExplainWithoutSSH: it is said that ssh_config(5) was not read.
func TestExplainWithoutSSH(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	e, all := explained(t, map[string]string{"web.tunnel": "[Tunnel]\nDestination=me@localhost\n[SSH]\nPort=2222\n"})
	if !e.NoSSH || !slices.Contains(all, "SSH Port=2222 from web.tunnel:4") || !slices.Contains(all, "SSH User=me from the destination") {
		t.Errorf("%v %q", e.NoSSH, all)
	}
	var text strings.Builder
	if err := e.Print(&text, false, false); err != nil || !strings.Contains(text.String(), "There is no ssh program here") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
