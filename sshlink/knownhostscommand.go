package sshlink

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// askKnownHostsCommand runs KnownHostsCommand, whose output has the form of a known_hosts
// file. It is given its tokens as for ssh's call by name; one that fails is logged, and the
// files alone count.
func (r *Resolved) askKnownHostsCommand(ctx context.Context, name string) knownKeys {
	command := r.option("knownhostscommand")
	if command == "" {
		return nil
	}
	words := strings.Fields(command)
	tokens := map[byte]string{'H': name, 'I': "HOSTNAME", 'K': "NONE", 't': "NONE", 'f': "NONE"}
	for i, w := range words {
		words[i] = expandEnvironment(r.expandWith(w, tokens))
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		r.config.log().Warn("KnownHostsCommand failed", "command", words[0], "err", err, "said", printable(lastLines(stderr.String(), 1)))
		return nil
	}
	return readKnownLines(bytes.NewReader(out), "KnownHostsCommand", name, r.config.log())
}
