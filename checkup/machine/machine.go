// Package machine looks for problems of this machine that would keep every tunnel from staying up. It
// examines systemd and its user manager, the daemon's unit, lingering, ssh, and SSH_AUTH_SOCK in the
// environment.
//
// It runs systemctl(1), loginctl(1) and busctl(1), and changes nothing.
package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"os/user"
	"strings"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Options say for whom the machine is examined.
type Options struct {
	System   bool   // for the system's tunnels: PID 1 runs them, and nobody needs to be logged in
	Auto     bool   // there is a tunnel with Start=auto
	AuthSock string // SSH_AUTH_SOCK of the caller's terminal; empty if there is none
}

// commandTime is how long each program may take.
const commandTime = 5 * time.Second

// examination is the examination of the machine.
type examination struct {
	tunnelfile.Findings
	ctx context.Context
	o   Options
}

// Check examines the machine.
func Check(ctx context.Context, o Options) []tunnelfile.Finding {
	x := &examination{ctx: ctx, o: o}
	if x.systemd() {
		x.daemon()
		x.linger()
		x.agent()
	}
	x.ssh()
	return x.Findings
}

// Environment is the environment block that the service manager gives to its units, as NAME=VALUE; nil
// if the manager does not answer.
func Environment(ctx context.Context, system bool) []string {
	out, err := run(ctx, "busctl", scope(system), "--json=short", "get-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
		"org.freedesktop.systemd1.Manager", "Environment")
	var property struct{ Data []string }
	if err != nil || json.Unmarshal([]byte(out), &property) != nil {
		return nil
	}
	return property.Data
}

// scope is the flag of systemctl, busctl and journalctl that selects the manager.
func scope(system bool) string {
	if system {
		return "--system"
	}
	return "--user"
}

// run runs one of systemd's programs and returns its output. An error has the first line of its standard
// error.
func run(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		text, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		err = fmt.Errorf("%s: %s", argv[0], text)
	}
	return string(out), err
}

// show runs a command and reads the KEY=VALUE lines that systemctl show and loginctl print.
func show(ctx context.Context, argv ...string) (map[string]string, error) {
	out, err := run(ctx, argv...)
	if err != nil {
		return nil, err
	}
	properties := make(map[string]string)
	for line := range strings.Lines(out) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			properties[key] = value
		}
	}
	return properties, nil
}

// person is the name of the user who runs this.
func person() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
