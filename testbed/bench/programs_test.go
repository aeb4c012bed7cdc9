//go:build bench

package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// patience is the deadline of what should not take long.
const patience = 30 * time.Second

// program is one way to keep a tunnel.
type program struct {
	name string
	// command makes the command that forwards local to target and serves SOCKS at socks.
	command func(t *testing.T, w way) *exec.Cmd
	restart time.Duration // an end is followed by another start after this; 0: never
	tunnel  []string      // lines of a tunnel file besides; nil: not holdfast
}

// way is what a program has to do.
type way struct {
	server       *testbed.Server
	host         string // "ADDRESS:PORT" of the server, or of the proxy before it
	knownHosts   string
	local, socks string
	target       string
	settings     []string // of ssh, such as ServerAliveInterval=10
}

// options are w's for ssh, as KEY=VALUE.
func (w way) options() []string {
	_, port, _ := net.SplitHostPort(w.host)
	return append([]string{
		"Port=" + port,
		"User=" + w.server.User,
		"IdentityFile=" + w.server.IdentityFile,
		"IdentitiesOnly=yes",
		"UserKnownHostsFile=" + w.knownHosts,
		"GlobalKnownHostsFile=/dev/null",
		"StrictHostKeyChecking=yes",
		"ExitOnForwardFailure=yes",
	}, w.settings...)
}

func (w way) sshArguments(more ...string) []string {
	args := []string{"-F", "none", "-N", "-L", w.local + ":" + w.target, "-D", w.socks}
	for _, o := range append(w.options(), more...) {
		args = append(args, "-o", o)
	}
	return append(args, w.address())
}

// address is the server's, without its port.
func (w way) address() string {
	host, _, _ := net.SplitHostPort(w.host)
	return host
}

func ssh(more ...string) func(*testing.T, way) *exec.Cmd {
	return func(t *testing.T, w way) *exec.Cmd {
		testbed.Need(t, "ssh")
		return exec.Command("ssh", w.sshArguments(more...)...)
	}
}

func autossh(t *testing.T, w way) *exec.Cmd {
	testbed.Need(t, "autossh")
	cmd := exec.Command("autossh", append([]string{"-M", "0"}, w.sshArguments()...)...)
	cmd.Env = append(os.Environ(), "AUTOSSH_GATETIME=0")
	return cmd
}

// socat forwards one port and encrypts nothing.
func socat(t *testing.T, w way) *exec.Cmd {
	testbed.Need(t, "socat")
	_, port, _ := net.SplitHostPort(w.local)
	return exec.Command("socat", "-b", "65536", "TCP-LISTEN:"+port+",bind=127.0.0.1,reuseaddr,fork,backlog=128", "TCP:"+w.target)
}

// another is what -with says.
func another(t *testing.T, w way) *exec.Cmd {
	_, command, _ := strings.Cut(*with, "=")
	host, port, _ := net.SplitHostPort(w.host)
	words := strings.Fields(command)
	fill := strings.NewReplacer("{local}", w.local, "{socks}", w.socks, "{target}", w.target, "{host}", host, "{port}", port,
		"{user}", w.server.User, "{identity}", w.server.IdentityFile, "{known_hosts}", w.knownHosts)
	for i := range words {
		words[i] = fill.Replace(words[i])
	}
	return exec.Command(words[0], words[1:]...)
}

// holdfast is the worker of this tree on a file with these lines besides.
func holdfast(name string, lines ...string) program {
	return program{
		name:    name,
		command: func(t *testing.T, w way) *exec.Cmd { return holdfastBy(t, worker(t), w, lines...) },
		tunnel:  append([]string{}, lines...),
	}
}

// earlier is the same by the worker that -before names.
func (p program) earlier() program {
	return program{
		name:    p.name + ", before",
		command: func(t *testing.T, w way) *exec.Cmd { return holdfastBy(t, *before, w, p.tunnel...) },
	}
}

func holdfastBy(t *testing.T, binary string, w way, lines ...string) *exec.Cmd {
	var text strings.Builder
	fmt.Fprintf(&text, "[Tunnel]\nDestination=%s\nLocalForward=%s %s\nDynamicForward=%s\n", w.address(), w.local, w.target, w.socks)
	for _, line := range lines {
		fmt.Fprintln(&text, line)
	}
	fmt.Fprintln(&text, "[SSH]")
	for _, o := range w.options() {
		fmt.Fprintln(&text, o)
	}
	dir := testbed.SocketDir(t)
	file := filepath.Join(dir, "bench.tunnel")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, file)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	return cmd
}

// programs are those of a table: ssh first, then what else is asked for.
func programs(more ...program) []program {
	all := []program{{name: "ssh", command: ssh()}}
	for _, p := range more {
		all = append(all, p)
		if *before != "" && p.tunnel != nil {
			all = append(all, p.earlier())
		}
	}
	if name, _, ok := strings.Cut(*with, "="); ok {
		all = append(all, program{name: name, command: another})
	}
	if *chosen == "" {
		return all
	}
	words := strings.Split(*chosen, ";")
	return slices.DeleteFunc(all, func(p program) bool {
		return p.name != "ssh" && !slices.Contains(words, p.name)
	})
}

var (
	sshGCM          = program{name: "ssh, aes128-gcm", command: ssh("Ciphers=aes128-gcm@openssh.com")}
	withAutossh     = program{name: "autossh", command: autossh}
	withSocat       = program{name: "socat", command: socat}
	raw             = program{name: "raw TCP"}
	withHoldfast    = holdfast("holdfast")
	holdfastAuto    = holdfast("holdfast, Connections=auto", "Connections=auto")
	holdfastNoDelay = holdfast("holdfast, Connections=auto, NoDelay", "Connections=auto", "NoDelay=yes")
	holdfast8       = holdfast("holdfast, 8 connections", "Connections=8")
	holdfastOpenSSH = holdfast("holdfast, openssh", "Transport=openssh")
)

// built is the worker's binary, once it is built.
var built string

// worker builds the worker as `make build` does.
func worker(t *testing.T) string {
	t.Helper()
	if built == "" {
		dir, err := os.MkdirTemp("", "holdfast-bench")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "holdfast-tunnel")
		build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path, "../../cmd/holdfast-tunnel")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		syscall.Sync() // pages of a file that is not on disk yet would count as private memory
		built = path
	}
	return built
}
