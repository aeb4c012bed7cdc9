package sshlink

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// kerberos is a realm of the test's own: a KDC that knows a person and the SSH server. What
// it needs is in the environment of this process, for ssh and sshd to inherit.
type kerberos struct {
	t    testing.TB
	user string
}

const kerberosPassword = "open sesame"

func startKerberos(t *testing.T, user string) *kerberos {
	t.Helper()
	testbed.Need(t, "krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist", "kdestroy")
	dir := t.TempDir()
	port := testbed.FreePort(t)
	write(t, filepath.Join(dir, "krb5.conf"), fmt.Sprintf(`[libdefaults]
 default_realm = HOLDFAST.TEST
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 HOLDFAST.TEST = {
  kdc = 127.0.0.1:%d
 }
[domain_realm]
 localhost = HOLDFAST.TEST
`, port))
	write(t, filepath.Join(dir, "kdc.conf"), fmt.Sprintf(`[realms]
 HOLDFAST.TEST = {
  database_name = %[1]s/principal
  key_stash_file = %[1]s/stash
  acl_file = %[1]s/acl
  kdc_listen = 127.0.0.1:%[2]d
  kdc_tcp_listen = 127.0.0.1:%[2]d
 }
[logging]
 kdc = FILE:%[1]s/log
`, dir, port))
	for name, value := range map[string]string{
		"KRB5_CONFIG": "krb5.conf", "KRB5_KDC_PROFILE": "kdc.conf", "KRB5_KTNAME": "keytab", "KRB5CCNAME": "tickets",
	} {
		t.Setenv(name, filepath.Join(dir, value))
	}
	for _, command := range []string{
		"kdb5_util create -s -P master",
		"kadmin.local addprinc -pw '" + kerberosPassword + "' " + user,
		"kadmin.local addprinc -randkey host/localhost",
		"kadmin.local ktadd host/localhost",
	} {
		run(t, "sh", "-c", "PATH=$PATH:/usr/sbin "+command)
	}
	kdc := exec.Command("sh", "-c", "PATH=$PATH:/usr/sbin exec krb5kdc -n")
	if err := kdc.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kdc.Process.Kill(); kdc.Wait() })
	testbed.WaitFor(t, 10*time.Second, func() error {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		return err
	})
	return &kerberos{t: t, user: user}
}

// ticket logs the person in.
func (k *kerberos) ticket() {
	k.t.Helper()
	cmd := exec.Command("kinit", k.user)
	cmd.Stdin = strings.NewReader(kerberosPassword + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("kinit: %v: %s", err, out)
	}
}

// noTicket logs the person out.
func (k *kerberos) noTicket() {
	k.t.Helper()
	run(k.t, "kdestroy", "-q")
}

// TestLoginsByKerberos tries GSSAPI with a ticket and without one, where the server takes nothing else, and
// where it takes a key too.
func TestLoginsByKerberos(t *testing.T) {
	testbed.Need(t, "ssh", "sshd")
	k := startKerberos(t, "root")
	if os.Geteuid() != 0 {
		testbed.NotHere(t, "needs root: the server's key is root's to read")
	}
	only := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"AuthenticationMethods gssapi-with-mic", "GSSAPIAuthentication yes", "GSSAPIStrictAcceptorCheck no"}})
	either := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"AuthenticationMethods gssapi-with-mic publickey", "GSSAPIAuthentication yes", "GSSAPIStrictAcceptorCheck no"}})
	host := func(s *testbed.Server, more string) string {
		text := strings.Replace(hostBlock(s, "host"), "HostName 127.0.0.1", "HostName localhost", 1)
		return text + fmt.Sprintf(" HostKeyAlias [127.0.0.1]:%d\n", s.Port) + alone + more
	}
	const auto, native, openssh = tunnelfile.TransportAuto, tunnelfile.TransportNative, tunnelfile.TransportOpenSSH
	yes, no, key := " GSSAPIAuthentication yes\n", " GSSAPIAuthentication no\n", " IdentityFile "+either.IdentityFile+"\n"

	t.Run("no ticket", func(t *testing.T) {
		tryBoth(t, []loginRow{
			{name: "only GSSAPI", want: refused, config: host(only, yes+" IdentityFile none\n"), transport: auto, via: native, says: "run kinit"},
			{name: "or a key", want: in, config: host(either, yes+key), transport: auto, via: native},
		})
	})
	l := loginRow{config: host(only, yes+" IdentityFile none\n")}
	r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: l.write(t, t.TempDir())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	state := login.AuthState(t.Context(), r.Options)
	k.ticket()
	if login.AuthState(t.Context(), r.Options) == state {
		t.Error("a tunnel that is blocked does not see that there is a ticket now")
	}
	if link, err := r.Dial(t.Context()); err != nil {
		t.Errorf("resolved without a ticket, dialled with one: %v", err)
	} else {
		link.Close()
	}
	t.Run("a ticket", func(t *testing.T) {
		tryBoth(t, []loginRow{
			{name: "only GSSAPI", want: in, config: host(only, yes+" IdentityFile none\n"), transport: auto, via: openssh, why: "Kerberos ticket"},
			{name: "or a key", want: in, config: host(either, yes+key), transport: auto, via: openssh, why: "Kerberos ticket"},
			{name: "switched off", want: refused, config: host(only, no+" IdentityFile none\n"), transport: auto, via: native},
			{name: "not preferred", want: in, config: host(either, yes+key+" PreferredAuthentications publickey\n"), transport: auto, via: native},
		})
	})
	k.noTicket()
	t.Run("the ticket is gone", func(t *testing.T) {
		tryBoth(t, []loginRow{{name: "only GSSAPI", want: refused, config: host(only, yes+" IdentityFile none\n"), transport: auto, via: native}})
	})
}
