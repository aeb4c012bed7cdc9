package check

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/runas"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ExplainVerb is the verb explain.
func ExplainVerb() verb.Verb {
	return verb.Verb{
		Name: "explain", Args: "NAME", Group: verb.Finding,
		Summary: "show every setting in force, and where it comes from",
		About: `
Each setting is shown with its origin: file and line, "ssh's default", "Holdfast's default" or "the
destination". Settings that somebody wrote come first. Above them are the transport and the reason for
it, and the hosts on the way, whose own settings follow below. A note says where a tunnel does
something else with a setting than ssh(1).`,
		Examples: []verb.Example{
			{Command: "holdfast explain web", Does: "the settings of web that mean something to a tunnel"},
			{Command: "holdfast explain --all web", Does: "all settings, also those that mean nothing to a tunnel"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			all := f.Bool("all", false, "also settings that mean nothing to a tunnel")
			return verb.One(func(s *session.Session, name string) error { return explainTunnel(s, name, *all) })
		},
		Words: verb.OneName,
	}
}

// explainTunnel prints the tunnel's state and then every setting in force with its origin. The settings
// come from holdfast-tunnel --print-config.
func explainTunnel(s *session.Session, name string, all bool) error {
	paths, err := s.Files(name)
	if err != nil {
		return err
	}
	// Settings are on disk, so they are shown even if the daemon does not answer.
	if client, err := s.Daemon(); err == nil && !s.JSON {
		if t, err := client.Tunnel(s.Ctx, name); err == nil {
			s.Out.Line("%s is %s", name, tunnel.Line(t))
			s.Out.Line("")
		}
	}
	program, err := runas.Program(tunnelfile.Program)
	if err != nil {
		return err
	}
	arguments := []string{"--print-config"}
	if all {
		arguments = append(arguments, "--all")
	}
	if s.JSON {
		arguments = append(arguments, "--json") // the output is a worker.Explanation
	}
	cmd := exec.CommandContext(s.Ctx, program, append(arguments, paths[0])...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	var columns bytes.Buffer
	if s.Out.Width > 0 && !s.JSON {
		cmd.Args, cmd.Stdout = slices.Insert(cmd.Args, 1, "--tabs"), &columns
	}
	t, err := s.Dirs().Load(name)
	if s.System {
		if err := runas.AsUnit(s, cmd, t); err != nil {
			return err
		}
	} else if err == nil { // ssh_config may refer to the unit's variables
		cmd.Env = append(os.Environ(), runas.UnitEnvironment(s, t)...)
	}
	if err := cmd.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); ended {
			return session.ErrPrinted
		}
		return err
	}
	s.Out.Blocks(tables(columns.String()))
	return nil
}

// tables parses text with tabs between columns. Consecutive lines with tabs become one table.
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
				{}, {Wrap: true, Min: 16}, {Wrap: true, Min: 22, GiveWay: 1, Below: true}, {Wrap: true, Min: 24, GiveWay: 2, Below: true},
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
