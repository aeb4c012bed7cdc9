package check

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// writeReport writes check's findings to a file for a bug report, without private words.
func writeReport(s *session.Session, file string, ofMachine jsonout.TunnelCheck, tunnels []jsonout.TunnelCheck, now dbusapi.Snapshot) error {
	r := newRedactor()
	var files []tunnelfile.Tunnel
	for _, c := range tunnels {
		t, err := s.Dirs().Load(c.Name)
		if err != nil {
			t.Name = c.Name
		}
		files = append(files, t)
	}
	all, _ := s.Dirs().LoadAll() // a finding may name other tunnels
	for _, t := range append(all, files...) {
		o, _ := config.Resolve(s.Ctx, config.Of(t)) // if it fails, the words of the file alone are removed
		r.tunnel(t, o)
	}
	report := report(s, r, ofMachine, tunnels, files, now)
	if err := os.WriteFile(file, []byte(report), 0o600); err != nil {
		return err
	}
	if !s.JSON {
		s.Out.Note("Wrote %s. Taken out: %s. Read it before you send it.", file, r.summary())
	}
	return nil
}

// report is the text of the report.
func report(s *session.Session, r *redactor, ofMachine jsonout.TunnelCheck, tunnels []jsonout.TunnelCheck, files []tunnelfile.Tunnel, now dbusapi.Snapshot) string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(fmt.Sprintf(format, args...) + "\n") }
	line("holdfast %s, %s, %s", s.Version, firstLine("systemctl", "--version"), runtime.GOARCH)
	line("%s; Linux %s", firstLine("ssh", "-V"), firstLine("uname", "-r"))
	findings := func(title string, findings []tunnelfile.Finding) {
		line("\n%s", title)
		for _, f := range findings {
			line("  %s: %s: %s", f.Severity, f.Subject, r.line(f.Message))
		}
	}
	findings("This machine", ofMachine.Findings)
	for i, c := range tunnels {
		findings(r.line(c.Name), c.Findings)
		if t, ok := now.Tunnel(c.Name); ok {
			line("  state: %s", cmp.Or(strings.TrimSpace(fmt.Sprintf("%s %s", t.State, t.Reason)), "unknown"))
		}
		for _, f := range files[i].Forwards {
			line("  %s", r.line(fmt.Sprintf("%s: %s → %s", f.Kind, f.ListenText(), f.TargetText())))
		}
		for _, setting := range files[i].SSH {
			line("  [SSH] %s=%s", setting.Key, r.line(setting.Value))
		}
	}
	line("\nTaken out, with a stand-in of the form <kind-number>: %s.", r.summary())
	return b.String()
}

// firstLine is the first line that a program prints, on stdout or stderr.
func firstLine(program string, args ...string) string {
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return "no " + program
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
