package tunnelfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLoadDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "holdfast.conf")
	if d, err := LoadDaemon(path); err != nil || d != (Daemon{}) {
		t.Errorf("no file: %+v, %v", d, err)
	}
	for _, c := range []struct {
		text    string
		rolling bool
		err     string
	}{
		{"", false, ""},
		{"[Daemon]\nRollingRestart=yes\n", true, ""},
		{"; so it is\n[Daemon]\nRollingRestart = on\nRollingRestart=no\n", false, ""},
		{"[Daemon]\nRollingRestart=perhaps\n", false, `:2: RollingRestart: "perhaps" is not yes or no`},
		{"[Daemon]\nRollingRestart=yes\nRolling=no\n", true, ":3: Rolling: unknown key; there is RollingRestart="},
		{"[Deamon]\nRollingRestart=yes\n", false, ":2: RollingRestart: unknown section [Deamon]; there is [Daemon]"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := LoadDaemon(path)
		said := ""
		if err != nil {
			said = err.Error()
		}
		want := c.err
		if want != "" {
			want = path + want
		}
		if d.RollingRestart != c.rolling || said != want {
			t.Errorf("%q: %+v, %q; want %v, %q", c.text, d, said, c.rolling, want)
		}
	}
}
