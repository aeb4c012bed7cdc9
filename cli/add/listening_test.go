package add

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// TestListening: what ss, netstat and /proc/net/tcp print, as they printed it.
func TestListening(t *testing.T) {
	for out, want := range map[string]string{
		"LISTEN 0      128        127.0.0.1:5432      0.0.0.0:*\nLISTEN 0      4096            [::]:22         [::]:*\n":                                                         "[22 5432]",
		"Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address Foreign Address State\ntcp 0 0 0.0.0.0:80 0.0.0.0:* LISTEN\ntcp6 0 0 :::80 :::* LISTEN\n": "[80]",
		"  sl  local_address rem_address   st tx_queue\n   0: 0100007F:1538 00000000:0000 0A 00000000:00000000\n   1: 0100007F:1539 0100007F:9999 01 00000000:00000000\n":        "[5432]",
		"bash: line 1: no\nLISTEN a b c:\n": "[]",
		"LISTEN 0 128 [::]:22 [::]:*\n/run/docker.sock\n/var/run/postgresql/.s.PGSQL.5432\n/run/systemd/journal/stdout\n/run/user/1000/bus\n/run/docker.sock\n": "[22 /run/docker.sock /var/run/postgresql/.s.PGSQL.5432]",
	} {
		if got := fmt.Sprint(listening(out)); got != want {
			t.Errorf("%q: %s, want %s", out, got, want)
		}
	}
}

// TestListeningCommand: it names a port and a unix socket of this machine, in whichever shell a login has.
func TestListeningCommand(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(t.TempDir(), "a service.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	for _, shell := range []string{"sh", "bash", "fish", "zsh"} {
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		cmd := exec.Command(shell, "-c", listeningCommand)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		found := listening(string(out))
		if port := strconv.Itoa(tcp.Addr().(*net.TCPAddr).Port); err != nil || !slices.Contains(found, port) || !slices.Contains(found, path) {
			t.Errorf("%s: %v, no %s or %s in %q", shell, err, port, path, found)
		}
	}
}

// TestOffered: for the end here, what fits the end there and takes nothing that is this machine's.
func TestOffered(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	for there, want := range map[string]string{
		"localhost:5432": "5432", "localhost:80": "", "/var/run/postgresql/.s.PGSQL.5432": "5432", "/run/docker.sock": "/run/user/1000/gate-docker.sock",
	} {
		if got := offerHere("me@gate.example", there); got != want {
			t.Errorf("%s: %q, want %q", there, got, want)
		}
	}
}
