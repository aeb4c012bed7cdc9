package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestStamp holds the files that a stamp covers against those that ssh says it reads: any change of
// any of them, or of its mode, is noticed, and so is a new one.
func TestStamp(t *testing.T) {
	testbed.Need(t, "ssh")
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"config":     "Include " + dir + "/conf.d/*.conf\nHost gate\n Include " + dir + "/gate\nHost other\n Include " + dir + "/other\n",
		"gate":       "Port 2200\nInclude " + dir + "/inner\n",
		"inner":      "User me\n",
		"other":      "Port 1\n",
		"real":       "Compression no\n",
		"conf.d/a":   "not included\n",
		"conf.d/a.b": "",
	})
	if err := os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "conf.d", "link.conf")); err != nil {
		t.Fatal(err)
	}
	s := Source{Destination: "gate", ConfigFile: filepath.Join(dir, "config")}
	said, err := exec.Command("ssh", "-G", "-v", "-F", s.ConfigFile, "gate").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var files []string
	for _, m := range regexp.MustCompile(`Reading configuration data (\S+)`).FindAllStringSubmatch(string(said), -1) {
		if !slices.Contains(files, m[1]) {
			files = append(files, m[1])
		}
	}
	if len(files) < 5 { // the one for another host is named too, or not
		t.Fatalf("ssh reads only %q:\n%s", files, said)
	}
	o, err := Resolve(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	changes := func(what string, change, back func()) {
		t.Helper()
		change()
		if !o.Changed() || !o.Outdated() {
			t.Errorf("%s: not noticed", what)
		}
		back()
		if o.Changed() || o.Outdated() {
			t.Errorf("%s: noticed after it was undone", what)
		}
	}
	for _, file := range append(files, filepath.Join(dir, "other")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		same := time.Unix(1e9, 0)
		changes(file, func() {
			os.WriteFile(file, append([]byte("#"), text[1:]...), 0o600) // as long
			os.Chtimes(file, same, same)
		}, func() { os.WriteFile(file, text, 0o600) })
		changes("chmod of "+file, func() { os.Chmod(file, 0o666) }, func() { os.Chmod(file, 0o600) })
	}
	added := filepath.Join(dir, "conf.d", "new.conf")
	changes("a new file", func() { os.WriteFile(added, []byte("Port 1\n"), 0o600) }, func() { os.Remove(added) })
}

// TestOutdated: where ssh asks a command or the network, it is asked again before each try.
func TestOutdated(t *testing.T) {
	testbed.Need(t, "ssh")
	for text, want := range map[string]bool{
		"":                                  false,
		"Match host x exec true\n Port 1\n": true,
		"Match !exec=\"true\"\n Port 1\n":   true,
		"Match host exec\n Port 1\n":        true, // as far as can be told
		"CanonicalizeHostname yes\n":        true,
		"CanonicalizeHostname no\n":         false,
		"Host gate\n ProxyJump jump\nHost jump\n CanonicalizeHostname yes\n": true,
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"config": text})
		o, err := Resolve(t.Context(), Source{Destination: "gate", ConfigFile: filepath.Join(dir, "config")})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := o.Outdated(); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestLoginFiles watches a login of ssh itself: each file of ours that it looks at is one that
// counts.
func TestLoginFiles(t *testing.T) {
	testbed.Need(t, "ssh", "strace")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := testbed.SocketDir(t)
	testbed.NewKey(t, filepath.Join(dir, "key"), "ed25519", "")
	testbed.NewKey(t, filepath.Join(dir, "cert"), "ed25519", "")
	write(t, dir, map[string]string{
		"known": "", "known2": "", "global": "", "revoked": "", "more": "Compression no\n",
		"config": strings.ReplaceAll("Include DIR/more\nHost gate\n HostName "+s.Host+"\n Port "+strconv.Itoa(s.Port)+`
 User nobody
 IdentityFile DIR/key
 CertificateFile DIR/cert
 IdentityAgent DIR/agent
 UserKnownHostsFile DIR/known DIR/known2
 GlobalKnownHostsFile DIR/global
 RevokedHostKeys DIR/revoked
 KnownHostsCommand DIR/command %H
 ControlPath DIR/master
 PKCS11Provider DIR/pkcs11
 SecurityKeyProvider DIR/sk
 StrictHostKeyChecking no
 UpdateHostKeys no
`, "DIR", dir),
		"command": "#!/bin/sh\n",
	})
	os.Chmod(filepath.Join(dir, "command"), 0o700)
	o, err := Resolve(t.Context(), Source{Destination: "gate", ConfigFile: filepath.Join(dir, "config")})
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	exec.Command("strace", "-f", "-o", trace, "-e", "trace=file,connect,execve", "ssh", "-F", filepath.Join(dir, "config"), "-N", "-o", "BatchMode=yes", "gate").Run()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	counts := append(o.LoginFiles(), filepath.Join(dir, "config"), filepath.Join(dir, "more"))
	seen := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"(`+regexp.QuoteMeta(dir)+`/[^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		if !seen[m[1]] && !slices.Contains(counts, m[1]) {
			t.Errorf("ssh looks at %s, which is not on the list", m[1])
		}
		seen[m[1]] = true
	}
	for _, name := range []string{"key", "cert", "agent", "known", "known2", "global", "revoked", "command", "master"} {
		if !seen[filepath.Join(dir, name)] {
			t.Errorf("ssh did not look at %s: the test proves nothing of it", name)
		}
	}
}

// TestFilesOfEachKeyword wants a decision for each keyword that names a file.
func TestFilesOfEachKeyword(t *testing.T) {
	for keyword, want := range map[string]string{
		"CertificateFile": "/f", "ControlPath": "/f", "GlobalKnownHostsFile": "/f", "IdentityAgent": "/f", "IdentityFile": "/f",
		"KnownHostsCommand": "/f", "PKCS11Provider": "/f", "ProxyCommand": "/f", "RevokedHostKeys": "/f", "SecurityKeyProvider": "/f", "UserKnownHostsFile": "/f",
	} {
		o := &Options{resolution: resolution{values: answers{strings.ToLower(keyword): {"/f"}}}}
		if !slices.Contains(o.LoginFiles(), want) {
			t.Errorf("%s is not on the list: %q", keyword, o.LoginFiles())
		}
	}
}
