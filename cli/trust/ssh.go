package trust

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// trustBySSH runs ssh(1) with the tunnel's settings to show the host key and record it after a yes. It
// is for servers that only ssh can reach.
func trustBySSH(s *session.Session, file tunnelfile.Tunnel) error {
	cmd := exec.CommandContext(s.Ctx, "ssh", trustArguments(file)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, &said // ssh asks its question on the terminal
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return err
	}
	sentence, err := verdict(file.Destination, said.String())
	if err != nil {
		if strings.Count(said.String(), "\n") > 1 { // a warning of several lines, in ssh's words
			s.Out.Warning(said.String())
		}
		return err
	}
	s.Out.Line("%s", sentence)
	return nil
}

// trustArguments are the arguments with which ssh asks about the host key and does nothing else. ssh
// uses the first value of a keyword, so these come before the tunnel's own.
func trustArguments(file tunnelfile.Tunnel) []string {
	var args []string
	for _, o := range []string{
		"StrictHostKeyChecking=ask", "VisualHostKey=yes", "BatchMode=no", "PreferredAuthentications=none", "LogLevel=INFO",
		"ControlMaster=no", "ControlPath=none", "ClearAllForwardings=yes", "PermitLocalCommand=no", "RemoteCommand=none", "ForkAfterAuthentication=no",
	} {
		args = append(args, "-o", o)
	}
	for _, setting := range file.SSH {
		args = append(args, "-o", setting.Key+"="+setting.Value)
	}
	return append(args, "-N", "--", file.Destination)
}

// verdict finds out what happened from ssh's messages. ssh never logs in here, so a denied permission
// means that the host key was accepted.
func verdict(destination, said string) (sentence string, err error) {
	switch {
	case strings.Contains(said, "IDENTIFICATION HAS CHANGED"):
		return "", advice.Error{
			Err:  fmt.Errorf("the host key of %s is not the one that is known", destination),
			Hint: "ask who runs the server whether its key was changed; if so, remove the old one with the ssh-keygen -R command above, then holdfast trust again",
		}
	case strings.Contains(said, "REVOKED HOST KEY"):
		return "", fmt.Errorf("the host key of %s is marked as revoked", destination)
	case strings.Contains(said, "Host key verification failed"):
		return "", fmt.Errorf("%w: the host key of %s is not recorded", listing.ErrRefused, destination)
	case strings.Contains(said, "Permanently added"):
		return "The host key is recorded.", nil
	case strings.Contains(said, "Permission denied"), said == "":
		return "The host key was known already.", nil
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return "", fmt.Errorf("ssh %s: %s", destination, lines[len(lines)-1])
}
