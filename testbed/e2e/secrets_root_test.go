//go:build testbed

package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// secrets are what no search may find, by what they open. They are made anew for each run, so
// that this file does not have them.
var secrets = func() map[string]string {
	made := make(map[string]string)
	for _, what := range []string{
		"the passphrase that was typed",
		"the passphrase that is a credential",
		"the passphrase that the keyring has",
		"the password that was typed",
		"an answer that was wrong",
		"the passphrase that was typed for ssh",
		"the passphrase that is one for ssh's",
		"the passphrase that nobody ever answers",
	} {
		made[what] = rand.Text()
	}
	return made
}()

// TestSecretsAreNowhere logs in by passphrases and passwords, typed, remembered and given as
// credentials, over both transports, and looks for each in the journal, in files, in signals on
// the bus, in every process's arguments and environment while it happens, and in the memory of
// the tunnels.
func TestSecretsAreNowhere(t *testing.T) {
	testbed.NeedRootBox(t)
	testbed.Need(t, "chpasswd", "dbus-monitor", "gnome-keyring-daemon", "secret-tool")
	d := newDesk(t)
	d.holdfast("version")
	feed(t, "tester:"+secrets["the password that was typed"]+"\n", "chpasswd")
	server := testbed.StartServer(t, testbed.ServerOptions{User: "tester", Config: []string{"PasswordAuthentication yes", "AuthenticationMethods any", "UsePAM no"}})
	known := filepath.Join(person.Home, "known_hosts")
	text, err := os.ReadFile(server.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	d.writeFile(known, string(text))

	key := func(name, what string) string {
		file := filepath.Join(person.Home, ".keys", name)
		d.writeFile(file, "")
		k := testbed.NewKey(t, file, "ed25519", secrets[what])
		if err := os.Chown(file, person.UID, person.GID); err != nil {
			t.Fatal(err)
		}
		server.Authorize(k.AuthorizedKey())
		return file
	}
	tunnel := func(name, transport, ssh, service string) {
		d.write(name, fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d 127.0.0.1:9\nStart=manual\nTransport=%s\n\n"+
			"[SSH]\nIdentityAgent=none\nIdentitiesOnly=yes\nUserKnownHostsFile=%s\n%s\n[Service]\nRestartSec=1s\n%s\n",
			server.Destination(), testbed.FreePort(t), transport, known, ssh, service))
	}
	credential := func(name, what string) string {
		path := filepath.Join(person.Home, ".credentials", name)
		d.writeFile(path, secrets[what]+"\n")
		return "LoadCredential=passphrase:" + path
	}
	byPassword := "IdentityFile=none\nPreferredAuthentications=password\n"
	tunnel("typed", "native", "IdentityFile="+key("typed", "the passphrase that was typed"), "")
	tunnel("given", "native", "IdentityFile="+key("given", "the passphrase that is a credential"), credential("given", "the passphrase that is a credential"))
	tunnel("kept", "native", "IdentityFile="+key("kept", "the passphrase that the keyring has"), "")
	tunnel("account", "native", byPassword, "")
	tunnel("typedssh", "openssh", "IdentityFile="+key("typedssh", "the passphrase that was typed for ssh"), "")
	tunnel("givenssh", "openssh", "IdentityFile="+key("givenssh", "the passphrase that is one for ssh's"), credential("givenssh", "the passphrase that is one for ssh's"))
	tunnel("accountssh", "openssh", byPassword, "")
	tunnel("unasked", "native", "IdentityFile="+key("unasked", "the passphrase that nobody ever answers"), "")

	signals := watchSignals(t)
	processes := watchProcesses(t)
	unlockedKeyring(t)
	prompt := fmt.Sprintf("passphrase: Enter passphrase for key '%s'", filepath.Join(person.Home, ".keys/kept"))
	feed(t, secrets["the passphrase that the keyring has"], person.Argv("secret-tool", "store", "--label=test", "service", "holdfast", "username", prompt)...)

	typed := map[string]string{
		"typed":      secrets["the passphrase that was typed"],
		"typedssh":   secrets["the passphrase that was typed for ssh"],
		"account":    secrets["the password that was typed"],
		"accountssh": secrets["the password that was typed"],
	}
	names := []string{"typed", "given", "kept", "account", "typedssh", "givenssh", "accountssh"}
	for round := range 2 {
		for _, name := range names {
			answer := typed[name]
			switch {
			case answer == "":
				d.atTerminal(t, []string{"up", name})
				d.atTerminal(t, []string{"reconnect", name})
				continue
			case round == 0 && name != "accountssh": // whose account is that of the one before
				d.atTerminal(t, []string{"up", name}, secrets["an answer that was wrong"], answer, "no")
			case round == 0:
				d.atTerminal(t, []string{"up", name}, secrets["an answer that was wrong"], answer)
			default: // that it is not to be remembered is not asked again
				d.atTerminal(t, []string{"up", name}, answer)
			}
			d.atTerminal(t, []string{"reconnect", name}, answer)
		}
		for _, name := range names {
			d.holdfast("status", name)
			d.holdfast("explain", name)
		}
		memory(t, names)
		d.holdfast("down", "--all")
	}
	out, err := as("secret-tool", "lookup", "service", "holdfast", "username", prompt)
	if err != nil || out != secrets["the passphrase that the keyring has"] {
		t.Errorf("the keyring: %q, %v", out, err)
	}

	journal, err := testbed.Output("journalctl", "--no-pager", "-o", "export", "-a", "--boot")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(journal, "answered by a credential") {
		t.Error("this journal is not the one of the tunnels")
	}
	seek(t, "the journal", []byte(journal))
	seek(t, "signals on the bus", signals())
	seek(t, "a process's arguments or environment", processes())
	for _, root := range []string{person.Home, person.RuntimeDir, "/tmp", "/var/tmp", "/var/log", "/run/log"} {
		files(t, root, filepath.Join(person.Home, ".credentials"))
	}
}

// question is how each of what holdfast asks at a terminal ends.
var question = regexp.MustCompile(`(for key '[^']*':|password:|\(yes/no\)) $`)

// atTerminal runs the command line at a terminal, where a person answers its questions: all of
// the answers, and no more, must be asked for.
func (d *desk) atTerminal(t *testing.T, args []string, answers ...string) {
	t.Helper()
	argv := person.Argv("env", "TERM=xterm", "script", "-q", "-E", "never", "-e", "-c", "holdfast "+strings.Join(args, " "), "/dev/null")
	cmd := exec.Command(argv[0], argv[1:]...)
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	patience := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	defer patience.Stop()
	var shown, line []byte
	one := make([]byte, 1)
	for {
		if _, err := screen.Read(one); err != nil {
			break
		}
		shown = append(shown, one[0])
		if line = append(line, one[0]); one[0] == '\n' {
			line = nil
		}
		if question.Match(line) && len(answers) > 0 {
			_, _ = io.WriteString(keyboard, answers[0]+"\n")
			answers, line = answers[1:], nil
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("holdfast %s: %v; on the screen:\n%s", args, err, shown)
	}
	if len(answers) > 0 {
		t.Errorf("holdfast %s: %d answers were not asked for; on the screen:\n%s", args, len(answers), shown)
	}
	seek(t, "the screen", shown)
}

// seek wants none of the secrets in the text.
func seek(t *testing.T, where string, text []byte) {
	t.Helper()
	for what, secret := range secrets {
		if i := bytes.Index(text, []byte(secret)); i >= 0 {
			t.Errorf("%s is in %s: …%q", what, where, text[max(0, i-100):min(len(text), i+len(secret)+20)])
		}
	}
}

// watchSignals collects all signals on the person's bus.
func watchSignals(t *testing.T) func() []byte {
	t.Helper()
	argv := person.Argv("dbus-monitor", "--session", "type=signal")
	monitor := exec.Command(argv[0], argv[1:]...)
	var all lockedBuffer
	monitor.Stdout = &all
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = monitor.Process.Kill()
		_ = monitor.Wait()
	})
	testbed.WaitFor(t, 10*time.Second, func() error {
		if !strings.Contains(all.String(), "NameAcquired") {
			return fmt.Errorf("dbus-monitor says %q", all.String())
		}
		return nil
	})
	return func() []byte {
		if !strings.Contains(all.String(), "PropertiesChanged") {
			t.Error("no signal was seen")
		}
		return []byte(all.String())
	}
}

// watchProcesses collects the arguments and the environment of every process, over and over.
func watchProcesses(t *testing.T) func() []byte {
	seen := make(map[string]bool)
	stop, stopped := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(stop); <-stopped })
	t.Cleanup(end)
	go func() {
		defer close(stopped)
		for {
			for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
				paths, _ := filepath.Glob(pattern)
				for _, path := range paths {
					text, _ := os.ReadFile(path)
					seen[string(text)] = true
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond): // leave something to those who are watched
			}
		}
	}()
	return func() []byte {
		end()
		var all bytes.Buffer
		for text := range seen {
			all.WriteString(text + "\n")
		}
		for _, expected := range []string{"askpass\x00Enter passphrase", "HOLDFAST_NAME=", "HOLDFAST_AGAIN=1"} {
			if !strings.Contains(all.String(), expected) {
				t.Errorf("no process with %q was seen", expected)
			}
		}
		return all.Bytes()
	}
}

// files looks for secrets in all files below root, without crossing into another file system's
// special files, and but for those below except.
func files(t *testing.T, root, except string) {
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || path == except:
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		if text, err := os.ReadFile(path); err == nil {
			seek(t, path, text)
		}
		return nil
	})
}

// memory looks for passphrases in the memory of the tunnels' processes. They are wiped; a
// password is not: x/crypto wants it as a string, which Go cannot wipe.
func memory(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		pid, err := strconv.Atoi(property(tunnelfile.ServiceName(name), "MainPID"))
		if err != nil || pid == 0 {
			t.Fatalf("%s has no process", name)
		}
		found := make(map[string]int)
		size := scan(t, pid, func(region []byte) {
			for what, secret := range secrets {
				found[what] += bytes.Count(region, []byte(secret))
			}
		})
		for what, n := range found {
			if n > 0 && strings.Contains(what, "passphrase") {
				t.Errorf("%s: %s is in the memory of its process %d times", name, what, n)
			} else if n > 0 {
				t.Logf("%s: %s is in the memory of its process %d times", name, what, n)
			}
		}
		if size < 1<<20 {
			t.Errorf("%s: only %d bytes of memory were read", name, size)
		}
	}
}

// scan reads the memory that a process can write to.
func scan(t *testing.T, pid int, look func([]byte)) (size int) {
	t.Helper()
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		region := make([]byte, to-from)
		n, err := mem.ReadAt(region, int64(from))
		if err != nil && err != io.EOF && n == 0 {
			continue
		}
		size += n
		look(region[:n])
	}
	return size
}
