package hostkeys

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
)

// byCommand is shown in place of a file for keys that KnownHostsCommand printed.
const byCommand = "KnownHostsCommand"

// askKnownHostsCommand runs KnownHostsCommand, whose output has the form of a known_hosts file. The
// command gets the tokens that ssh gives it for a lookup by name. If it fails, that is an error, as
// in ssh: it might have revoked the key.
func askKnownHostsCommand(ctx context.Context, o *config.Options, name string) (Lines, error) {
	command := o.Option("knownhostscommand")
	if command == "" {
		return nil, nil
	}
	words := strings.Fields(command)
	tokens := map[byte]string{'H': name, 'I': "HOSTNAME", 'K': "NONE", 't': "NONE", 'f': "NONE"}
	for i, w := range words {
		words[i] = config.ExpandEnvironment(o.ExpandWith(w, tokens))
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if said := text.FromPeer(text.LastLines(stderr.String(), 1)); said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		return nil, fault.Wrap(fault.Unreachable, err, "KnownHostsCommand %s", words[0])
	}
	return readKnownLines(bytes.NewReader(out), byCommand, name, o.Log), nil
}
