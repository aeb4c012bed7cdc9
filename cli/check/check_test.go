package check

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cli/runas"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

var update = flag.Bool("update", false, "write the golden file of what check prints")

// TestStateFinding: what the tunnel does is a problem only where a person must do something.
func TestStateFinding(t *testing.T) {
	for _, c := range []struct {
		state    tunnelfile.State
		start    tunnelfile.StartMode
		status   string
		severity tunnelfile.Severity
		subject  string
		mend     string
	}{
		{tunnelfile.Up, tunnelfile.StartAuto, "1 forward", tunnelfile.FindingOK, tunnelfile.SubjectState, ""},
		{tunnelfile.Listening, tunnelfile.StartOnDemand, "", tunnelfile.FindingOK, tunnelfile.SubjectState, ""},
		{tunnelfile.Inactive, tunnelfile.StartManual, "", tunnelfile.FindingOK, tunnelfile.SubjectState, ""},
		{tunnelfile.Inactive, tunnelfile.StartAuto, "", tunnelfile.Hint, tunnelfile.SubjectState, "holdfast up web"},
		{tunnelfile.Offline, tunnelfile.StartAuto, "[rule]: NeverOn=Hotel*: on 'Hotel 3' now", tunnelfile.Hint, tunnelfile.SubjectNetwork, "holdfast edit web"},
		{tunnelfile.Offline, tunnelfile.StartAuto, "no network", tunnelfile.Hint, tunnelfile.SubjectState, ""},
		{tunnelfile.Retrying, tunnelfile.StartAuto, "in 8s", tunnelfile.Hint, tunnelfile.SubjectState, "holdfast logs web"},
		{tunnelfile.Blocked, tunnelfile.StartAuto, "needs a passphrase", tunnelfile.Trouble, tunnelfile.SubjectState, "holdfast up web"},
		{tunnelfile.Failed, tunnelfile.StartAuto, "", tunnelfile.Trouble, tunnelfile.SubjectState, "holdfast logs web"},
	} {
		said := tunnelfile.Status{State: c.state, Text: c.status}
		if rest, ok := strings.CutPrefix(c.status, "[rule]: "); ok {
			said.Reason, said.Text = fault.Rule, rest
		}
		f := stateFinding(listing.Tunnel{Name: "web", State: c.state, StartMode: c.start, Reason: said.Reason, Status: said.Text}, "login")
		if f.Severity != c.severity || f.Subject != c.subject || !strings.HasPrefix(f.Mend, c.mend) || c.mend == "" && f.Mend != "" || f.Message == "" {
			t.Errorf("%s, %s: %+v", c.state, c.start, f)
		}
	}
}

// TestUnitEnvironment: the manager's block counts, and of the terminal's only what a manager
// sets by itself.
func TestUnitEnvironment(t *testing.T) {
	got := unitEnvironment([]string{"PATH=/unit", "LANG=C"}, []string{"PATH=/mine", "HOME=/home/me", "SSH_AUTH_SOCK=/tmp/agent", "DISPLAY=:0"})
	if want := []string{"PATH=/unit", "LANG=C", "HOME=/home/me"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = runas.ServiceEnvironment([]tunnelfile.Setting{{Key: "MemoryMax", Value: "1G"}, {Key: "Environment", Value: "A=1 B=2"}, {Key: "Environment", Value: `C="x y" 'D=z'`}, {Key: "Environment", Value: "E=%t/x"}})
	if want := []string{"A=1", "B=2", "C=x y", "D=z"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCheckGolden holds what check prints on terminals of several widths. A mend is never broken.
func TestCheckGolden(t *testing.T) {
	findings := []tunnelfile.Finding{
		{Subject: tunnelfile.SubjectFile, Severity: tunnelfile.FindingOK, Message: "~/.config/holdfast/web.tunnel is well"},
		{Subject: tunnelfile.SubjectDaemon, Severity: tunnelfile.Hint, Message: "holdfastd runs, and does not start by itself", Mend: "systemctl --user enable --now holdfastd"},
		{Subject: "port", Severity: tunnelfile.Trouble, Message: "gateway.example.internal closed the connection before saying anything: too many connections at once, or this address is banned there",
			Mend: "on the server: journalctl -u ssh -n 20; MaxStartups and PerSourcePenalties in sshd_config(5), or fail2ban-client status sshd"},
	}
	written, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer written.Close()
	out := terminal.New(written, written, func(string) string { return "" })
	for _, width := range []int{40, 80, 120, 200} {
		out.Width = 0
		out.Line("$ holdfast check web   (%d columns)", width)
		out.Width = width
		showFindings(out, "web", findings)
	}
	got, err := os.ReadFile(written.Name())
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/golden/check.txt"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(got) != string(want) {
		t.Errorf("%s differs (%v); go test ./cli/check -run Golden -update writes it anew. Now:\n%s", file, err, got)
	}
}
