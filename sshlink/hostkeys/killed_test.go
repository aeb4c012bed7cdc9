package hostkeys

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/testbed"
)

// recordsInto in the environment makes the test binary record host keys in that file until it is killed.
const recordsInto = "HOLDFAST_RECORDS_INTO"

func TestMain(m *testing.M) {
	if file := os.Getenv(recordsInto); file != "" {
		recordForEver(file)
	}
	os.Exit(m.Run())
}

func recordForEver(file string) {
	lines := readKnownHosts([]string{file}, "keys", slog.New(slog.DiscardHandler))
	var keys []ssh.PublicKey
	for _, l := range lines {
		keys = append(keys, l.Key)
	}
	fmt.Println("begun")
	for i := 0; ; i++ {
		if err := recordHostKeys(file, fmt.Sprintf("host%d-%d", os.Getpid(), i), i%2 == 0, keys...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// TestKilledWhileRecording: two processes record in one file, and one of them is killed again and
// again: every line is whole, and none of those before is lost.
func TestKilledWhileRecording(t *testing.T) {
	file := filepath.Join(t.TempDir(), "known_hosts")
	var first strings.Builder
	for i := range 16 {
		key := testbed.NewKey(t, filepath.Join(t.TempDir(), fmt.Sprint("key", i)), "ed25519", "")
		first.WriteString("keys " + key.AuthorizedKey() + "\n")
	}
	if err := os.WriteFile(file, []byte(first.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), recordsInto+"="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 8))
		return cmd
	}
	end := func(cmd *exec.Cmd) {
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
	}
	other := start()
	defer end(other)
	before := 16
	for range 20 {
		one := start()
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // at any moment
		end(one)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole := string(text[:strings.LastIndex(string(text), "\n")+1]) // the other one may be writing
		if !strings.HasPrefix(whole, first.String()) {
			t.Fatal("the first lines are lost")
		}
		lines := strings.Count(whole, "\n")
		if lines < before {
			t.Errorf("%d lines became %d", before, lines)
		}
		before = lines
		for line := range strings.Lines(whole) {
			host, key, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key)); err != nil || host == "" {
				t.Fatalf("half a line: %q", line)
			}
		}
		if before > 5000 {
			break // each write reads all of it
		}
	}
	t.Logf("%d lines", before)
}
