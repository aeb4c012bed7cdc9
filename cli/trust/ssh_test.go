package trust

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestVerdict: what OpenSSH says.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		said, sentence string
		err            string // a part of it
	}{
		{"Warning: Permanently added 'h' (ED25519) to the list of known hosts.\r\nme@h: Permission denied (publickey).\r\n", "The host key is recorded.", ""},
		{"me@h: Permission denied (publickey,password).\r\n", "The host key was known already.", ""},
		{"Host key verification failed.\r\n", "", "not recorded"},
		{"@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n", "", "not the one that is known"},
		{"ssh: connect to host h port 22: Connection refused\r\n", "", "Connection refused"},
		{"ssh: Could not resolve hostname h: Name or service not known\r\n", "", "Could not resolve"},
	} {
		sentence, err := verdict("me@h", c.said)
		if sentence != c.sentence || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q, %v", c.said, sentence, err)
		}
	}
	if _, err := verdict("me@h", "Host key verification failed."); !errors.Is(err, listing.ErrRefused) {
		t.Errorf("a no is %v", err)
	}
}

// TestTrustAsks: whatever the file says, ssh asks, and the file's settings lead the way.
func TestTrustAsks(t *testing.T) {
	file, problems := tunnelfile.Parse("a", "", "[Tunnel]\nDestination=me@h\n[SSH]\nStrictHostKeyChecking=no\nPort=2222\n")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	line := strings.Join(trustArguments(file), " ")
	ask, no := strings.Index(line, "StrictHostKeyChecking=ask"), strings.Index(line, "StrictHostKeyChecking=no")
	if ask < 0 || no < ask || !strings.HasSuffix(line, "-o Port=2222 -N -- me@h") {
		t.Error(line)
	}
}
