package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// logs becomes journalctl(1) on the tunnel's unit.
func (s *session) logs(args []string) error {
	flags := s.flags()
	follow := flags.Bool("f", false, "")
	flags.BoolVar(follow, "follow", false, "")
	lines := flags.Int("n", 0, "")
	flags.IntVar(lines, "lines", 0, "")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	name, err := one(rest)
	if err != nil {
		return err
	}
	// One that is not there has a journal perhaps, but a wrong name is more likely. A
	// daemon that does not answer is no reason to show nothing.
	if client, err := s.daemon(); err == nil {
		ctx, cancel := s.call()
		defer cancel()
		if _, err := s.tunnel(ctx, client, name); errors.Is(err, dbusapi.ErrNoSuchTunnel) {
			return err
		}
	}
	program, err := exec.LookPath("journalctl")
	if err != nil {
		return err
	}
	s.close()
	err = syscall.Exec(program, journalctl(name, s.system, *follow, *lines, s.json), os.Environ())
	return fmt.Errorf("%s: %w", program, err)
}

// journalctl is the command line that shows a tunnel's journal.
func journalctl(name string, system, follow bool, lines int, json bool) []string {
	argv := []string{"journalctl"}
	if !system {
		argv = append(argv, "--user")
	}
	argv = append(argv, "-u", tunnelfile.ServiceName(name))
	if follow {
		argv = append(argv, "-f")
	}
	if lines > 0 {
		argv = append(argv, "-n", strconv.Itoa(lines))
	}
	if json {
		argv = append(argv, "-o", "json")
	}
	return argv
}
