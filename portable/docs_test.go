package portable

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// TestFromAutossh imports the unit of docs/from-autossh.md, and adds what its lines add.
func TestFromAutossh(t *testing.T) {
	page, err := os.ReadFile("../docs/from-autossh.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string]string) // by what their first line names
	for _, block := range regexp.MustCompile("(?s)```(?:ini|sh)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		first, rest, _ := strings.Cut(block[1], "\n")
		blocks[strings.TrimPrefix(first, "# ")] = rest
		for line := range strings.Lines(block[1]) {
			if words := strings.Fields(line); len(words) > 3 && words[1] == "add" {
				if _, err := tunnelfile.FromSSHArguments(words[3:]); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
	m := machine(t)
	path := m.write(t, "autossh-db.service", blocks["~/.config/systemd/user/autossh-db.service"])
	m.enable(t, "autossh-db.service", "autossh-db.service")
	r := m.FromFile(path)
	if len(r.Found) != 1 || len(r.Problems)+len(r.NotTunnels) > 0 {
		t.Fatalf("%+v", r)
	}
	if got, want := strings.ReplaceAll(r.Found[0].Text, m.Home, "/home/me"), blocks["~/.config/holdfast/autossh-db.tunnel"]; got != want || r.Found[0].Name != "autossh-db" {
		t.Errorf("%s is made, the page has\n%s", got, want)
	}
	compare(t, "not carried over", r.Found[0].Notes, []string{"RestartSec=60: a tunnel tries again at once, and then after growing delays up to RetryMax="})
	for _, line := range strings.Split(blocks["~/.config/systemd/user/autossh-db.service"], "\n") {
		if key, _, ok := strings.Cut(line, "="); ok && key != "Description" && key != "Environment" && key != "ExecStart" && !strings.Contains(string(page), "`"+key) {
			t.Errorf("the page says nothing of %s", line)
		}
	}
}
