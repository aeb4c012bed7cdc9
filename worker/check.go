package worker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"text/tabwriter"

	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Check reads the tunnel file and asks ssh what it makes of it, and returns all that
// is wrong. Nothing is opened and no server is touched.
func Check(ctx context.Context, path string, log *slog.Logger) error {
	s, err := load(ctx, path, nil, log)
	if err != nil {
		return err
	}
	return s.err
}

// PrintConfig prints what is in force for a tunnel file: a setting, its value and
// where it comes from, as far as that is known.
func PrintConfig(ctx context.Context, out io.Writer, path string, log *slog.Logger) error {
	s, err := load(ctx, path, nil, log)
	if err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	t, r := s.tunnel, s.resolved
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(setting string, value any, from string) { fmt.Fprintf(table, "%s\t%v\t%s\n", setting, value, from) }
	place := func(path string, line int) string {
		if line == 0 {
			return path
		}
		return path + ":" + strconv.Itoa(line)
	}

	row("Name", t.Name, t.Path)
	for _, d := range t.DropIns {
		row("", "drop-in", d)
	}
	written := written(t)
	key := func(name string, value any) { row(name, value, written(name)) }
	key("Description", t.Description)
	key("Destination", t.Destination)
	c := s.forwards()
	for _, f := range c.Forwards {
		from := place(f.Path, f.Line)
		if f.Path == "" {
			from = "ssh_config"
		}
		row(string(f.Kind), f.Text, from)
	}
	key("Start", t.Start)
	if t.Start == tunnelfile.StartOnDemand {
		key("IdleTimeout", tunnelfile.FormatSpan(t.IdleTimeout))
	}
	key("HoldTimeout", tunnelfile.FormatSpan(t.HoldTimeout))
	key("MaxHeld", t.MaxHeld)
	key("AllowUsers", t.AllowUsers)
	key("Connections", t.Connections)
	key("GateTime", tunnelfile.FormatSpan(t.GateTime))
	key("RetryMax", tunnelfile.FormatSpan(t.RetryMax))
	key("Transport", transport(t, r))
	key("Check", t.Check)

	fromSSH := func(name string, value any) {
		from := "ssh_config or default"
		for _, set := range t.SSH {
			if set.Key == name {
				from = place(set.Path, set.Line)
			}
		}
		row(name, value, from)
	}
	fromSSH("HostName", r.HostName)
	fromSSH("Port", r.Port)
	fromSSH("User", r.User)
	fromSSH("ServerAliveInterval", r.ServerAliveInterval)
	fromSSH("ServerAliveCountMax", r.ServerAliveCountMax)
	fromSSH("ConnectTimeout", r.ConnectTimeout)
	fromSSH("ExitOnForwardFailure", yesNo(r.ExitOnForwardFailure))
	fromSSH("GatewayPorts", yesNo(r.GatewayPorts))
	fromSSH("StreamLocalBindUnlink", yesNo(r.StreamLocalBindUnlink))
	fromSSH("StreamLocalBindMask", fmt.Sprintf("%04o", r.StreamLocalBindMask))
	return table.Flush()
}

// written says of a key in [Tunnel] whether the file has it. A drop-in counts as the file.
func written(t tunnelfile.Tunnel) func(key string) string {
	plain, problems := tunnelfile.Parse(t.Name, "", "[Tunnel]\nDestination="+t.Destination+"\n")
	if len(problems) > 0 {
		return func(string) string { return "" }
	}
	same := map[string]bool{
		"Description": t.Description == plain.Description,
		"Start":       t.Start == plain.Start,
		"IdleTimeout": t.IdleTimeout == plain.IdleTimeout,
		"HoldTimeout": t.HoldTimeout == plain.HoldTimeout,
		"MaxHeld":     t.MaxHeld == plain.MaxHeld,
		"AllowUsers":  t.AllowUsers == plain.AllowUsers,
		"Connections": t.Connections == plain.Connections,
		"GateTime":    t.GateTime == plain.GateTime,
		"RetryMax":    t.RetryMax == plain.RetryMax,
		"Transport":   t.Transport == plain.Transport,
		"Check":       t.Check == plain.Check,
	}
	return func(key string) string {
		if same[key] {
			return "default"
		}
		return t.Path
	}
}

func transport(t tunnelfile.Tunnel, r *sshlink.Resolved) string {
	if t.Transport == r.Transport {
		return string(t.Transport)
	}
	text := fmt.Sprintf("%s: %s", t.Transport, r.Transport)
	if r.Reason != "" {
		text += ", because " + r.Reason
	}
	return text
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
