package session

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestOnDisk: tunnels with broken files count too, tags name several, and a typo is told.
func TestOnDisk(t *testing.T) {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	for name, text := range map[string]string{
		"web.tunnel": "[Tunnel]\nDestination=a\nTags=work\n", "db.tunnel": "[Tunnel]\nDestination=b\nTags=work home\n", "bad.tunnel": "[Tunnel]\nDestination\n",
	} {
		path := filepath.Join(config, "holdfast", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &Session{}
	for _, c := range []struct{ patterns, want []string }{
		{nil, []string{"bad", "db", "web"}},
		{[]string{"b*"}, []string{"bad"}},
		{[]string{"@work"}, []string{"db", "web"}},
		{[]string{"@home", "bad"}, []string{"bad", "db"}},
		{[]string{"wep"}, nil},
		{[]string{"@wrok"}, nil},
	} {
		found, err := s.OnDisk(c.patterns)
		var names []string
		for _, f := range found {
			names = append(names, f.Name)
		}
		if !slices.Equal(names, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%q: %q, %v", c.patterns, names, err)
		}
	}
}
