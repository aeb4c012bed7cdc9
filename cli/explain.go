package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// explainTunnel shows every setting in force and where it came from, as the tunnel's own
// program tells it, below why the tunnel is as it is.
func (s *session) explainTunnel(args []string) error {
	flags := s.flags()
	all := flags.Bool("all", false, "")
	rest, err := parse(flags, args)
	if err != nil {
		return err
	}
	name, err := one(rest)
	if err != nil {
		return err
	}
	paths, err := s.files(name)
	if err != nil {
		return err
	}
	// Settings are on disk; a daemon that does not answer is no reason not to show them.
	if client, err := s.daemon(); err == nil && !s.json {
		ctx, cancel := s.call()
		defer cancel()
		if t, err := client.Tunnel(ctx, name); err == nil {
			s.out.line("%s is %s", name, tunnel.Line(t))
			s.out.line("")
		}
	}
	program, err := beside("holdfast-tunnel")
	if err != nil {
		return err
	}
	arguments := []string{"--print-config"}
	if *all {
		arguments = append(arguments, "--all")
	}
	if s.json {
		arguments = append(arguments, "--json") // its shape is worker.Explanation
	}
	cmd := exec.CommandContext(s.ctx, program, append(arguments, paths[0])...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	t, err := s.dirs().Load(name)
	if s.system {
		if err := s.asUnit(cmd, t); err != nil {
			return err
		}
	} else if err == nil { // ssh_config may name variables that are the unit's
		cmd.Env = append(os.Environ(), serviceEnvironment(t.Service)...)
	}
	if err := cmd.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); ended {
			return errSaid
		}
		return err
	}
	return nil
}

// files are the paths that a tunnel is read from.
func (s *session) files(name string) ([]string, error) {
	paths, err := s.dirs().Files(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", dbusapi.ErrNoSuchTunnel, name)
	}
	return paths, err
}

// dirs is where tunnel files are.
func (s *session) dirs() tunnelfile.Dirs {
	if s.system {
		return tunnelfile.SystemDirs()
	}
	return tunnelfile.UserDirs(os.Getenv)
}

// beside is the path of another of our programs: beside this one, or in PATH.
func beside(program string) (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), program)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(program)
}
