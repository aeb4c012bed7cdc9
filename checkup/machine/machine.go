// Package machine looks for what on this machine would keep every tunnel from staying up:
// systemd and its user manager, the daemon's unit, lingering, ssh, the agent's place in the
// environment.
//
// It asks systemd's own programs, systemctl(1), loginctl(1) and busctl(1), and changes nothing.
package machine

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"os/user"
	"strings"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Options say whose machine it is.
type Options struct {
	System   bool   // the system's tunnels: PID 1 runs them, and nobody need be logged in
	Auto     bool   // there is a tunnel that is to start by itself
	AuthSock string // SSH_AUTH_SOCK where the question is asked, empty: none
}

// commandTime is how long one of systemd's programs may take.
const commandTime = 5 * time.Second

// examination is the machine being looked at.
type examination struct {
	tunnelfile.Findings
	ctx context.Context
	o   Options
}

// Check looks at the machine.
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

// Environment is what the manager gives to the units that it starts, as NAME=VALUE, nil
// where it does not answer.
func Environment(ctx context.Context, system bool) []string {
	return environment(ctx, scope(system))
}

// scope is the flag that says which manager, to systemctl and busctl.
func scope(system bool) string {
	if system {
		return "--system"
	}
	return "--user"
}

// run runs one of systemd's programs and returns what it prints.
func run(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if text := strings.TrimSpace(stderr.String()); err != nil && text != "" {
		text, _, _ = strings.Cut(text, "\n")
		err = fmt.Errorf("%s: %s", argv[0], text)
	}
	return string(out), err
}

// show reads properties as systemctl show and loginctl print them.
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

// person is the name of who runs this.
func person() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
