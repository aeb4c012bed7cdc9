package runas

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestCredentialsDirectory: a key that systemd hands over is where the unit has it.
func TestCredentialsDirectory(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	environment := tunnelfile.Setting{Key: "Environment", Value: "A=1"}
	for _, test := range []struct {
		system bool
		key    string
		want   []string
	}{
		{true, "LoadCredentialEncrypted", []string{"A=1", "CREDENTIALS_DIRECTORY=/run/credentials/holdfast-tunnel@db.service"}},
		{false, "SetCredential", []string{"A=1", "CREDENTIALS_DIRECTORY=/run/user/7/credentials/holdfast-tunnel@db.service"}},
		{true, "MemoryMax", []string{"A=1"}},
	} {
		tunnel := tunnelfile.Tunnel{Name: "db", Service: []tunnelfile.Setting{environment, {Key: test.key, Value: "id:/etc/key"}}}
		if got := UnitEnvironment(&session.Session{System: test.system}, tunnel); !slices.Equal(got, test.want) {
			t.Errorf("%s, system %v: %q, want %q", test.key, test.system, got, test.want)
		}
	}
}
