// Package check is the verbs check and explain: what keeps a tunnel from staying up, and which settings
// are in force. It runs holdfast-tunnel for that, in the environment of the tunnel's unit.
package check

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/checkup/machine"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/runas"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Verb is the verb check.
func Verb() verb.Verb {
	return verb.Verb{
		Name: "check", Args: "[NAME…]", Group: verb.Finding,
		Summary: "find what would keep tunnels from staying up, and how to mend it",
		About: `
Each finding is a line that begins with ok, hint or problem. If a command can mend it, that is on the
next line, after "mend:".

It looks at the machine (systemd, the daemon's unit, lingering, ssh(1), the agent, the network), at
files, settings and keys, and at the local listening sockets. Then it logs in once, in the environment
of the tunnel's unit, and asks nobody. It shows the negotiated algorithms, and whether the key
exchange is post-quantum. It tries where each forward leads, and what the server would listen on.
Running tunnels are not disturbed.

With a NAME, only hints and problems of the machine are shown. The exit status is 1 if there is a
problem.`,
		Examples: []verb.Example{
			{Command: "holdfast check web", Does: "what would keep web from staying up"},
			{Command: "holdfast check", Does: "the same for all tunnels, and for the machine"},
		},
		Setup: func(f *flag.FlagSet) verb.Command {
			report := f.String("report", "", "also write the findings to `FILE` for a bug report, without names, hosts, keys and paths")
			return func(s *session.Session, names []string) error { return check(s, names, *report) }
		},
		Words: verb.ManyNames,
	}
}

// check shows what would keep tunnels from staying up, here and on the server, and how to mend it.
// Without names it checks all tunnels and shows all findings of the machine. With names it leaves out
// the machine's good findings. It fails if a finding is a problem.
func check(s *session.Session, names []string, report string) error {
	whole := len(names) == 0
	tunnels, _ := s.Dirs().LoadAll()
	wanted, err := s.OnDisk(names)
	if err != nil {
		return err
	}
	now, daemon := checkDaemon(s)
	ofMachine := jsonout.TunnelCheck{Findings: append(machine.Check(s.Ctx, machine.Options{
		System: s.System, AuthSock: ownAgent(os.Getenv),
		Auto: slices.ContainsFunc(tunnels, func(t tunnelfile.Tunnel) bool { return t.Start == tunnelfile.StartAuto }),
	}), daemon...)}
	if !whole {
		ofMachine.Findings = slices.DeleteFunc(ofMachine.Findings, func(f tunnelfile.Finding) bool { return f.Severity == tunnelfile.FindingOK })
	}
	if !s.JSON {
		showFindings(s.Out, "This machine", ofMachine.Findings)
	}
	environment := machine.Environment(s.Ctx, s.System)
	all := []jsonout.TunnelCheck{}
	for _, w := range wanted {
		name := w.Name
		if !s.JSON {
			s.Out.Progress("checking " + name + " …")
		}
		c := jsonout.TunnelCheck{Name: name, Findings: checkTunnel(s, name, environment, now)}
		if s.Ctx.Err() != nil {
			return s.Ctx.Err()
		}
		all = append(all, c)
		if !s.JSON {
			s.Out.EndProgress()
			showFindings(s.Out, name, c.Findings)
		}
	}
	if report != "" {
		if err := writeReport(s, report, ofMachine, all, now); err != nil {
			return err
		}
	}
	return concludeCheck(s, ofMachine, all)
}

// concludeCheck prints how many findings there were. It fails if one is a problem.
func concludeCheck(s *session.Session, ofMachine jsonout.TunnelCheck, tunnels []jsonout.TunnelCheck) error {
	counts := make(map[tunnelfile.Severity]int)
	for _, c := range append([]jsonout.TunnelCheck{ofMachine}, tunnels...) {
		for _, f := range c.Findings {
			counts[f.Severity]++
		}
	}
	if s.JSON {
		all := jsonout.Check{
			Problems: counts[tunnelfile.Trouble], Hints: counts[tunnelfile.Hint],
			Machine: ofMachine.Findings, Tunnels: tunnels,
		}
		if err := s.Out.JSON(all, false); err != nil {
			return err
		}
	} else {
		switch {
		case counts[tunnelfile.Trouble] > 0:
			s.Out.Line("%s, %s.", text.Count(counts[tunnelfile.Trouble], "problem"), text.Count(counts[tunnelfile.Hint], "hint"))
		case counts[tunnelfile.Hint] > 0:
			s.Out.Line("No problem, %s.", text.Count(counts[tunnelfile.Hint], "hint"))
		default:
			s.Out.Line("All well.")
		}
	}
	if counts[tunnelfile.Trouble] > 0 {
		return session.ErrPrinted
	}
	return nil
}

// checkDaemon asks the daemon about the tunnels and the network.
func checkDaemon(s *session.Session) (now dbusapi.Snapshot, findings tunnelfile.Findings) {
	_, now, err := s.Snapshot()
	if err != nil {
		message, _ := s.Explain(err)
		findings.Problem(tunnelfile.SubjectDaemon, s.Systemctl()+" status holdfastd", "the daemon does not answer: %s", message)
		return now, findings
	}
	switch network, source := now.Global.Network, now.Global.NetworkSource; network {
	case "offline", "limited":
		mend := "ip -brief address"
		if source == "NetworkManager" {
			mend = "nmcli device status"
		}
		// This is only a hint. If the server cannot be reached, that is a problem of the tunnel.
		findings.Hint(tunnelfile.SubjectNetwork, mend, "the network is %s, says %s", network, source)
	case "portal":
		findings.Hint(tunnelfile.SubjectNetwork, "xdg-open http://nmcheck.gnome.org",
			"this network wants you to log in with a browser first (captive portal), says %s", source)
	default:
		findings.OK(tunnelfile.SubjectNetwork, "the network is %s, says %s", network, source)
	}
	if message, command := tunnel.OtherProgram(now.Global.Version, now.Tunnels); message != "" {
		findings.Hint(tunnelfile.SubjectDaemon, command, "%s", message)
	}
	return now, findings
}

// checkTunnel runs holdfast-tunnel --check --login in the environment of the tunnel's unit, and adds
// what the daemon reports.
func checkTunnel(s *session.Session, name string, environment []string, now dbusapi.Snapshot) (findings tunnelfile.Findings) {
	trouble := func(err error) tunnelfile.Findings {
		return tunnelfile.Findings{{Subject: tunnelfile.SubjectFile, Severity: tunnelfile.Trouble, Message: err.Error()}}
	}
	paths, err := s.Dirs().Files(name)
	if err != nil {
		return trouble(err)
	}
	program, err := runas.Program(tunnelfile.Program)
	if err != nil {
		return trouble(err)
	}
	cmd := exec.CommandContext(s.Ctx, program, "--check", "--login", "--json", paths[0])
	asRoot := false
	if s.System {
		t, _ := s.Dirs().Load(name) // problems of the file are reported below
		asRoot = namesNoUser(t)
		if err := runas.AsUnit(s, cmd, t); err != nil {
			message, hint := s.Explain(err)
			findings.Hint(tunnelfile.SubjectFile, hint, "%s", message)
			return findings
		}
	} else if environment != nil {
		cmd.Env = unitEnvironment(environment, os.Environ())
		if t, err := s.Dirs().Load(name); err == nil {
			cmd.Env = append(cmd.Env, runas.UnitEnvironment(s, t)...)
		}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if broken := json.Unmarshal(out, &findings); broken != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = fmt.Errorf("holdfast-tunnel: %s", text)
		}
		return trouble(err)
	}
	for _, p := range tunnel.ProblemsOf(name, now.Global.Problems) { // only the daemon checks [Unit] and [Service]
		if !slices.ContainsFunc(findings, func(f tunnelfile.Finding) bool { return f.Message == p.Error() }) {
			findings.Problem(tunnelfile.SubjectFile, "holdfast edit "+name, "%s", p.Error())
		}
	}
	if asRoot {
		findings.Hint(tunnelfile.SubjectFile, "holdfast set "+name+" Service.User=holdfast", "the file names no User=, so the tunnel runs as root")
	}
	if t, ok := now.Tunnel(name); ok {
		if slices.ContainsFunc(findings, func(f tunnelfile.Finding) bool { return f.Severity == tunnelfile.Trouble }) {
			t.Status = "" // the findings above say why, and are newer
		}
		findings = append(findings, stateFinding(t, s.NextStart()))
	}
	for i := range findings {
		findings[i].Mend = s.Ours(findings[i].Mend)
	}
	return findings
}

// namesNoUser says whether a system tunnel runs as root because its file has no User=.
func namesNoUser(t tunnelfile.Tunnel) bool {
	return t.Name != "" && !slices.ContainsFunc(t.Service, func(s tunnelfile.Setting) bool { return s.Key == "User" })
}

// unitEnvironment is the user manager's environment block. HOME, PATH and the like come from our own
// environment if the block does not have them.
func unitEnvironment(block, own []string) []string {
	has := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	environment := slices.Clone(block)
	for _, variable := range own {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "HOME", "USER", "LOGNAME", "SHELL", "PATH", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME":
			if !has(block, name) {
				environment = append(environment, variable)
			}
		}
	}
	return environment
}

// ownAgent is SSH_AUTH_SOCK. In a login by ssh it is "": a forwarded agent ends with the login, so
// tunnels cannot use it.
func ownAgent(getenv func(string) string) string {
	if getenv("SSH_CONNECTION") != "" {
		return ""
	}
	return getenv("SSH_AUTH_SOCK")
}

// stateFinding is a finding about the tunnel's state. A state other than up is no problem if it is wanted.
func stateFinding(t listing.Tunnel, nextStart string) tunnelfile.Finding {
	f := tunnelfile.Finding{Subject: tunnelfile.SubjectState, Severity: tunnelfile.FindingOK, Message: "it is " + tunnel.Line(t)}
	switch t.State {
	case tunnelfile.Inactive:
		if t.StartMode != tunnelfile.StartManual {
			f.Severity, f.Mend = tunnelfile.Hint, "holdfast up "+t.Name
			f.Message = "it was stopped, and starts with holdfast up or at the next " + nextStart
		} else {
			f.Message = "it starts only with holdfast up (Start=manual)"
		}
	case tunnelfile.Offline:
		f.Severity = tunnelfile.Hint
		if t.Reason == fault.Rule {
			f.Subject, f.Mend = tunnelfile.SubjectNetwork, "holdfast edit "+t.Name
			f.Message = strings.TrimSuffix("its own rule keeps it down on this network: "+text.Printable(t.Status), ": ")
		}
	case tunnelfile.Failed:
		f.Severity, f.Mend = tunnelfile.Trouble, "holdfast logs "+t.Name+" -n 20; holdfast up "+t.Name
	case tunnelfile.Blocked:
		f.Severity, f.Mend = tunnelfile.Trouble, "holdfast up "+t.Name
	case tunnelfile.Retrying, tunnelfile.Degraded:
		f.Severity = tunnelfile.Hint
		f.Mend = "holdfast logs " + t.Name + " -n 20"
	}
	return f
}

// colors are the colours of the severities.
var colors = map[tunnelfile.Severity]layout.Color{
	tunnelfile.FindingOK: layout.Green, tunnelfile.Hint: layout.Yellow, tunnelfile.Trouble: layout.Red,
}

// showFindings prints findings below a title. Each has a word, a sentence, and the mend on its own
// line, which can be pasted.
func showFindings(p *terminal.Printer, title string, findings []tunnelfile.Finding) {
	if len(findings) == 0 {
		return
	}
	p.Line("%s", p.Paint(layout.Bold, title))
	for _, f := range findings {
		t := &layout.Table{Columns: []layout.Column{{Min: len("  problem")}, {Wrap: true, Min: 20, GiveWay: 1, Below: true}}}
		t.Add(layout.Painted("  "+string(f.Severity), colors[f.Severity]), layout.Plain(f.Subject+": "+text.Printable(f.Message)))
		p.Rows(t)
		if f.Mend != "" {
			p.Command("           mend: " + text.Printable(f.Mend))
		}
	}
	p.Line("")
}
