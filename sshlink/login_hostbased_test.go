package sshlink

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

var pathAtStart = os.Getenv("PATH")

// wrapProgram puts a program of the same name before the real one in PATH, which runs it in a
// mount namespace of its own where the files, by the paths they stand for, are in place.
func wrapProgram(t *testing.T, program string, files map[string]string) {
	t.Helper()
	testbed.Need(t, "unshare")
	if os.Geteuid() != 0 {
		testbed.NotHere(t, "needs root for a mount namespace")
	}
	dir, real := t.TempDir(), ""
	for _, folder := range filepath.SplitList(pathAtStart + ":/usr/sbin") { // and not in that of another wrapper
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil && real == "" {
			real = path
		}
	}
	var mounts []string
	for path, from := range files {
		mounts = append(mounts, "mount --bind "+from+" "+path)
	}
	write(t, filepath.Join(dir, program), fmt.Sprintf("#!/bin/sh\nexec unshare -m --propagation private sh -c '%s && exec %s \"$@\"' %s \"$@\"\n",
		strings.Join(mounts, " && "), real, program))
	os.Chmod(filepath.Join(dir, program), 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// withAccount is a copy of /etc/passwd with one more account.
func withAccount(t testing.TB, name string) (file string) {
	t.Helper()
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "passwd")
	write(t, file, string(passwd)+name+":x:65432:65534::/tmp:/bin/sh\n")
	os.Chmod(file, 0o644)
	return file
}

// TestLoginsByHost lets this machine's own key speak for the person who is logged in here.
func TestLoginsByHost(t *testing.T) {
	testbed.Need(t, "ssh", "sshd", "ssh-keygen")
	client := t.TempDir() // the client's /etc/ssh
	os.Chmod(client, 0o755)
	key := testbed.NewKey(t, filepath.Join(client, "ssh_host_ed25519_key"), "ed25519", "")
	write(t, filepath.Join(client, "ssh_config"), "EnableSSHKeysign yes\n")
	os.Chmod(filepath.Join(client, "ssh_config"), 0o644)
	wrapProgram(t, "ssh", map[string]string{"/etc/ssh": client})

	server := t.TempDir() // the server's
	os.Chmod(server, 0o755)
	for name, text := range map[string]string{"shosts.equiv": "localhost root\n", "ssh_known_hosts": "localhost " + key.AuthorizedKey() + "\n"} {
		write(t, filepath.Join(server, name), text)
		os.Chmod(filepath.Join(server, name), 0o644)
	}
	wrapProgram(t, "sshd", map[string]string{"/etc/passwd": withAccount(t, "hftest"), "/etc/ssh": server})
	s := testbed.StartServer(t, testbed.ServerOptions{User: "hftest", Config: []string{
		"AuthenticationMethods hostbased", "HostbasedAuthentication yes", "HostbasedUsesNameFromPacketOnly yes", "IgnoreRhosts yes", "IgnoreUserKnownHosts yes"}})
	const auto, native, openssh = tunnelfile.TransportAuto, tunnelfile.TransportNative, tunnelfile.TransportOpenSSH
	host := hostBlock(s, "host") + " IdentityAgent none\n IdentityFile none\n"
	tryBoth(t, []loginRow{
		{name: "HostbasedAuthentication", want: in, config: host + " HostbasedAuthentication yes\n", transport: auto, via: openssh, why: "HostbasedAuthentication=yes"},
		{name: "another user", want: refused, config: strings.Replace(host, "User hftest", "User nobody", 1) + " HostbasedAuthentication yes\n PreferredAuthentications publickey\n", transport: auto, via: openssh},
		{name: "switched off", want: refused, config: host, transport: auto, via: native},
	})
}
