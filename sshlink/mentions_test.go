package sshlink

import (
	"path/filepath"
	"testing"
)

func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		"":                            false,
		"Host x\n Port 1\n":           false,
		"# GatewayPorts yes\n":        false,
		"Host x\n gatewayports=yes":   true,
		"Include sub/*.conf\n":        true,
		"Include \"sub/*.conf\"\n":    true,
		"Include other none/*\n":      false,
		"Include ${SOMEWHERE}/conf\n": true, // as far as can be told
		"Include loop\n":              false,
	} {
		dir := t.TempDir()
		login{files: map[string]string{"sub/a.conf": "Host y\n  GatewayPorts no\n", "other": "Port 1\n", "loop": "Include loop\n"}, config: text}.write(t, dir)
		if got := mentions(filepath.Join(dir, "config"), dir, []string{"gatewayports"}, includeDepth); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
