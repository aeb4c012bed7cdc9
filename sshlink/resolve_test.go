package sshlink

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// resolveWith resolves host with an ssh_config(5) text and an [SSH] section.
func resolveWith(t testing.TB, config string, section ...string) (*Resolved, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, config)
	return Resolve(t.Context(), source{Name: "web", Destination: "host", ConfigFile: file, Settings: settings(section...), Log: testLogger(t)}, nil)
}

// TestRemoteCommandOfSSHConfig wants none: it is for who logs in, and ssh -N does not run it.
func TestRemoteCommandOfSSHConfig(t *testing.T) {
	testbed.Need(t, "ssh")
	r, err := resolveWith(t, "RemoteCommand tmux attach\n")
	if err != nil || r.RemoteCommand != "" {
		t.Errorf("%q, %v", r.RemoteCommand, err)
	}
	for _, e := range r.Explain(t.Context()) {
		if e.Keyword == "RemoteCommand" && e.Note != "not about tunnels" {
			t.Errorf("explained: %+v", e)
		}
	}
}

// TestWithoutSSH takes ssh away.
func TestWithoutSSH(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	t.Setenv("PATH", t.TempDir())
	l := dialBy(t, tunnelfile.TransportAuto, s)
	if _, err := l.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	r, err := resolveWith(t, "Host *\n ServerAliveInterval 99\n", "Port=2222", "ServerAliveCountMax=7", "IdentityFile=/a", "IdentityFile=\"/b c\"", "ConnectTimeout=1M30", "SetEnv=A=1 B=\"b c\"")
	if err != nil {
		t.Fatal(err)
	}
	if r.Port != 2222 || r.ServerAliveInterval != 10*time.Second || r.ServerAliveCountMax != 7 || r.ConnectTimeout != 90*time.Second || r.HostName != "host" ||
		!slices.Equal(r.Values("identityfile"), []string{"/a", "/b c"}) || !slices.Equal(r.Values("setenv"), []string{"A=1", "B=b c"}) {
		t.Errorf("%+v", r)
	}
	_, err = resolveWith(t, "", "Prot=22")
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken || !strings.Contains(err.Error(), "test.tunnel:1: Prot") {
		t.Error(err)
	}
	_, err = Resolve(t.Context(), source{Destination: "host", Transport: tunnelfile.TransportOpenSSH}, nil)
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken {
		t.Error(err)
	}
}
