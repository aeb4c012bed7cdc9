package cli

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
)

func explainVerb() verb {
	return verb{
		name: "explain", args: "NAME", group: finding,
		summary: "every setting in force, and where it came from",
		about: `
Each setting has its file and line, or "ssh's default", "Holdfast's default" or "the destination";
what somebody wrote comes first. Above them stand the transport and why it is that one, and the
hosts on the way, each of which has its own settings below. A note says what becomes of a setting
where that is not what ssh(1) does.`,
		examples: []example{
			{"holdfast explain web", "the settings of web that mean something to a tunnel"},
			{"holdfast explain --all web", "all settings, also those that mean nothing to a tunnel"},
		},
		setup: func(f *flag.FlagSet) command {
			all := f.Bool("all", false, "also what means nothing to a tunnel")
			return func(s *session, args []string) error { return s.explainTunnel(args, *all) }
		},
		words: oneName,
	}
}

// explainTunnel shows every setting in force and where it came from, as the tunnel's own
// program tells it, below why the tunnel is as it is.
func (s *session) explainTunnel(args []string, all bool) error {
	name, err := one(args)
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
	if all {
		arguments = append(arguments, "--all")
	}
	if s.json {
		arguments = append(arguments, "--json") // its shape is worker.Explanation
	}
	cmd := exec.CommandContext(s.ctx, program, append(arguments, paths[0])...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	var columns bytes.Buffer
	if s.out.width > 0 && !s.json {
		cmd.Args, cmd.Stdout = slices.Insert(cmd.Args, 1, "--tabs"), &columns
	}
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
	s.out.blocks(tables(columns.String()))
	return nil
}

// tables is text whose columns have tabs between them: what stands together is a table.
func tables(content string) (blocks []layout.Block) {
	var table *layout.Table
	for line := range strings.Lines(content) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) == 1 {
			blocks, table = append(blocks, layout.Block{Text: fields[0]}), nil
			continue
		}
		if table == nil {
			table = &layout.Table{Columns: []layout.Column{
				{}, {Wrap: true, Min: 16}, {Wrap: true, Min: 18, GiveWay: 1, Below: true}, {Wrap: true, Min: 24, GiveWay: 2, Below: true},
			}}
			blocks = append(blocks, layout.Block{Table: table})
		}
		var row []layout.Cell
		for _, field := range fields {
			row = append(row, layout.Plain(field))
		}
		table.Add(row...)
	}
	return blocks
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
