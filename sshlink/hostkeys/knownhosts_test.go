package hostkeys

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// FuzzKnownLine reads anything as a line of a known_hosts file.
func FuzzKnownLine(f *testing.F) {
	f.Add("[127.0.0.1]:22,host* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8b5nGZ5hZ5b7mP5oHk8p5q4Z1i5p0V7l3Xq9QbY2pK comment")
	f.Add("|1|c2FsdA==|aGFzaA==| ssh-rsa AAAA")
	f.Add("@cert-authority *.example.org,!x ssh-ed25519 AAAA")
	f.Add("@revoked\t* ssh-ed25519")
	f.Fuzz(func(t *testing.T, line string) {
		k, about, err := parseKnownLine(line, "[127.0.0.1]:22")
		if about && (err != nil || k.Key == nil) {
			t.Errorf("%q: about the host, but %v, %v", line, k.Key, err)
		}
	})
}

// TestRecordsTogether lets many tunnels record the same key and others at once.
func TestRecordsTogether(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte("# no newline at the end"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "key"), "ed25519", "").Public
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := recordHostKeys(file, fmt.Sprintf("host%d", i%5), i%2 == 0, key); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n != 6 {
		t.Errorf("%d lines, want the comment and 5 hosts:\n%s", n, text)
	}
	if err := recordHostKeys("/dev/null", "host", false, key); err != nil {
		t.Error(err)
	}
}

// TestLongLine: a line that nobody understands, whatever its length, spoils itself alone.
func TestLongLine(t *testing.T) {
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "key"), "ed25519", "")
	text := "web ssh-ed25519 " + strings.Repeat("A", 200<<10) + "\n@revoked web " + key.AuthorizedKey() + "\nweb " + key.AuthorizedKey()
	lines := readKnownLines(strings.NewReader(text), "known_hosts", "web", slog.New(slog.DiscardHandler))
	if len(lines) != 2 || lines[0].Number != 2 || lines[1].Number != 3 {
		t.Fatalf("%d lines of 2 were read", len(lines))
	}
	if _, revoked := lines.revokes(key.Public); !revoked {
		t.Error("a revocation behind a long line is lost")
	}
}
