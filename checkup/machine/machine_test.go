package machine

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

func TestSystemdVersion(t *testing.T) {
	for text, want := range map[string]int{
		"systemd 252 (252.39-1~deb12u1)\n+PAM +AUDIT": 252, "systemd 257.3 (x)": 0, "systemd 258~rc1": 0, "": 0, "elogind 246": 0,
	} {
		if got := systemdVersion(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

// TestNoSystemd: without systemd it is said what runs without, and the rest is looked at all the same.
func TestNoSystemd(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	findings := Check(t.Context(), Options{})
	if len(findings) != 2 || findings[0].Subject != tunnelfile.SubjectSystemd || findings[0].Severity != tunnelfile.Trouble ||
		!strings.Contains(findings[0].Message, "holdfast-tunnel runs one tunnel without") || findings[1].Subject != tunnelfile.SubjectSSH {
		t.Errorf("%+v", findings)
	}
}
