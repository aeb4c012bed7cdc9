package sshlink

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// resolveWith resolves host with an ssh_config(5) text and an [SSH] section.
func resolveWith(t testing.TB, config string, section ...string) (*Resolved, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, config)
	return Resolve(t.Context(), Config{Name: "web", Destination: "host", ConfigFile: file, Settings: settings(section...), Log: testLogger(t)})
}

func TestDefaultsComeLast(t *testing.T) {
	testbed.Need(t, "ssh")
	type values struct {
		Interval, Timeout time.Duration
		Count             int
		Exit, Unlink      bool
		KeepAlive         string
	}
	ours := values{10 * time.Second, 15 * time.Second, 3, true, true, "yes"}
	for _, c := range []struct {
		name, config string
		section      []string
		want         func(v *values)
	}{
		{"nothing set", "", nil, func(*values) {}},
		{"set in the file", "Host host\n ServerAliveInterval 7\n ConnectTimeout 3\n", nil,
			func(v *values) { v.Interval, v.Timeout = 7*time.Second, 3*time.Second }},
		{"set to ssh's own defaults", "Host *\n ServerAliveInterval 0\n ExitOnForwardFailure no\n StreamLocalBindUnlink no\n TCPKeepAlive no\n", nil,
			func(v *values) { v.Interval, v.Exit, v.Unlink, v.KeepAlive = 0, false, false, "no" }},
		{"[SSH] beats the file", "ServerAliveInterval 7\n", []string{"ServerAliveInterval=5", "ServerAliveCountMax=9"},
			func(v *values) { v.Interval, v.Count = 5*time.Second, 9 }},
		{"another host's", "Host other\n ServerAliveInterval 7\n", nil, func(*values) {}},
		{"Match final all", "Match final all\n ServerAliveInterval 7\n StreamLocalBindUnlink no\n", nil,
			func(v *values) { v.Interval = 7 * time.Second }}, // "no" there is ssh's default and cannot be told from it
		{"Match final after Host", "Host host\n ServerAliveInterval 6\nMatch final all\n ServerAliveInterval 7\n", nil, func(v *values) { v.Interval = 6 * time.Second }},
		{"BatchMode", "BatchMode yes\n", nil, func(*values) {}}, // Debian's ssh then asks every five minutes
		{"BatchMode, and set", "Host host\n ServerAliveInterval 300\nHost *\n BatchMode yes\n", nil, func(v *values) { v.Interval = 5 * time.Minute }},
		{"Match that leaves a block open", "Match host nothing\n", nil, func(*values) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := resolveWith(t, c.config, c.section...)
			if err != nil {
				t.Fatal(err)
			}
			want := ours
			c.want(&want)
			got := values{r.ServerAliveInterval, r.ConnectTimeout, r.ServerAliveCountMax, r.ExitOnForwardFailure, r.StreamLocalBindUnlink, r.option("tcpkeepalive")}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestForwardsOfConfig(t *testing.T) {
	testbed.Need(t, "ssh")
	config := `Host host
 LocalForward 9000 /run/my.sock
 LocalForward "/tmp/my sock" "/x y"
 LocalForward [::1]:90 [fe80::1]:91
 LocalForward *:92 db:93
 LocalForward localhost:94 db:95
 RemoteForward 1080
 RemoteForward /tmp/s localhost:23
 RemoteForward [::]:5 localhost:24
 DynamicForward 1081
 DynamicForward *:1082
`
	r, err := resolveWith(t, config)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range r.Forwards {
		got = append(got, fmt.Sprintf("%s %s %s bind=%v", f.Kind, f.ListenText(), f.TargetText(), f.Listen.Bind))
	}
	want := []string{
		"LocalForward localhost:9000 /run/my.sock bind=false",
		"LocalForward /tmp/my sock /x y bind=false",
		"LocalForward [::1]:90 [fe80::1]:91 bind=true",
		"LocalForward *:92 db:93 bind=true",
		"LocalForward localhost:94 db:95 bind=true",
		"RemoteForward localhost:1080 SOCKS bind=false",
		"RemoteForward /tmp/s localhost:23 bind=false",
		"RemoteForward [::]:5 localhost:24 bind=true",
		"DynamicForward localhost:1081 SOCKS bind=false",
		"DynamicForward *:1082 SOCKS bind=true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r, err = resolveWith(t, config, "ClearAllForwardings=yes"); err != nil || len(r.Forwards) > 0 {
		t.Errorf("ClearAllForwardings: %v, %v", r.Forwards, err)
	}
}

// TestRemoteCommandOfSSHConfig wants none: it is for who logs in, and ssh -N does not run it.
func TestRemoteCommandOfSSHConfig(t *testing.T) {
	testbed.Need(t, "ssh")
	r, err := resolveWith(t, "RemoteCommand tmux attach\n")
	if err != nil || r.RemoteCommand != "" {
		t.Errorf("%q, %v", r.RemoteCommand, err)
	}
	for _, e := range r.Explain(t.Context()) {
		if e.Keyword == "RemoteCommand" && e.Note != "not about tunnels" {
			t.Errorf("explained: %+v", e)
		}
	}
}

func TestResolvedFields(t *testing.T) {
	testbed.Need(t, "ssh")
	r, err := resolveWith(t, `Host host
 HostName db.example.org
 User me
 Port 2222
 GatewayPorts yes
 StreamLocalBindMask 0117
 PermitRemoteOpen a:1 b:2
 RemoteCommand tmux attach
 ProxyCommand connect %h %p %n
 RekeyLimit 1G 1h
 LogLevel VERBOSE
`, "RemoteCommand=echo %h %r %%")
	if err != nil {
		t.Fatal(err)
	}
	if r.HostName != "db.example.org" || r.User != "me" || r.Port != 2222 || !r.GatewayPorts || r.StreamLocalBindMask != 0o117 ||
		!slices.Equal(r.PermitRemoteOpen, []string{"a:1", "b:2"}) || r.RemoteCommand != "echo db.example.org me %" || r.LogLevel != "VERBOSE" {
		t.Errorf("%+v", r)
	}
	if want := "connect db.example.org 2222 host"; r.Address() != want {
		t.Errorf("Address %q, want %q", r.Address(), want)
	}
	if got := r.rekeyLimit(); got != 1<<30 {
		t.Errorf("RekeyLimit %d", got)
	}
	r, err = resolveWith(t, "Host host\n HostName h\n ProxyJump a,b\nHost a\n HostName first\n Port 7\n")
	if err != nil {
		t.Fatal(err)
	}
	if r.Address() != "first:7" {
		t.Errorf("Address behind two jumps: %q", r.Address())
	}
}

// TestOwnCiphersWin wants the person's Ciphers to beat ours, and ours ssh's.
func TestOwnCiphersWin(t *testing.T) {
	testbed.Need(t, "ssh")
	for config, want := range map[string][]string{
		"": cipherOrder(),
		"Ciphers aes256-ctr,aes128-gcm@openssh.com":                   {"aes256-ctr", "aes128-gcm@openssh.com"},
		"Match final all\n Ciphers aes256-ctr,aes128-gcm@openssh.com": {"aes256-ctr", "aes128-gcm@openssh.com"},
		"Ciphers ^aes256-ctr":                                         {"aes256-ctr", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"},
	} {
		r, err := resolveWith(t, config+"\n")
		if err != nil {
			t.Fatal(err)
		}
		a, err := r.algorithms(nil)
		if err != nil || !slices.Equal(a.Ciphers, want) {
			t.Errorf("%q: %v, want %v; %v", config, a.Ciphers, want, err)
		}
	}
	if kex := firstKex(t); kex != "mlkem768x25519-sha256" {
		t.Errorf("first key exchange is %s", kex)
	}
}

func firstKex(t *testing.T) string {
	r, err := resolveWith(t, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.algorithms(nil)
	if err != nil {
		t.Fatal(err)
	}
	return a.KeyExchanges[0]
}

// TestBlamesTheTunnelFile wants what is wrong in [SSH] to be named by file, line and key.
func TestBlamesTheTunnelFile(t *testing.T) {
	testbed.Need(t, "ssh")
	for _, c := range []struct{ bad, says string }{
		{"Prot=22", "test.tunnel:2: Prot: Bad configuration option"},
		{"Port=many", "test.tunnel:2: Port: Bad port"},
		{"Host=x", "test.tunnel:2: Host: "},
		{"Match=all", "test.tunnel:2: Match: "},
		{"Include=/etc/passwd", "test.tunnel:2: Include: "},
	} {
		_, err := resolveWith(t, "", "ServerAliveInterval=5", c.bad)
		if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.bad, err)
		}
	}
	// What is wrong in ssh's own file is named as ssh names it.
	_, err := resolveWith(t, "Host *\n Prot 22\n", "ServerAliveInterval=5")
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken || !strings.Contains(err.Error(), "config: line 2: Bad configuration option: prot") {
		t.Error(err)
	}
}

// TestDestinations wants what could be an option or reach a shell to be refused.
func TestDestinations(t *testing.T) {
	for text, want := range map[string]destination{
		"host":                    {host: "host"},
		"me@host":                 {user: "me", host: "host"},
		"me@realm@host":           {user: "me@realm", host: "host"},
		`DOMAIN\me@host`:          {user: `DOMAIN\me`, host: "host"},
		"::1":                     {host: "::1"},
		"me@[::1]":                {user: "me", host: "::1"},
		"ssh://host":              {host: "host"},
		"ssh://me@host:22":        {user: "me", host: "host", port: 22},
		"ssh://[fe80::1%25lo]:22": {host: "fe80::1%lo", port: 22},
	} {
		if got, err := parseDestination(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	dir := t.TempDir()
	for _, text := range []string{
		"", "-oProxyCommand=touch " + dir + "/x", "me@-oProxyCommand=x", "-l@host", "ho st", "host;touch x", "$(touch x)@host",
		"`id`@host", "ssh://", "ssh://host:0", "ssh://host:99999", "ssh://host/path", "a\nb", "host'", "me'@host",
	} {
		_, err := Resolve(t.Context(), Config{Destination: text, ConfigFile: "none", Settings: settings("ProxyCommand=touch " + dir + "/x-%h-%r")})
		if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken {
			t.Errorf("%q: %v", text, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("something was run: %v", left)
	}
}

// TestWithoutSSH takes ssh away.
func TestWithoutSSH(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	t.Setenv("PATH", t.TempDir())
	l := dialBy(t, tunnelfile.TransportAuto, s)
	if _, err := l.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	r, err := resolveWith(t, "Host *\n ServerAliveInterval 99\n", "Port=2222", "ServerAliveCountMax=7", "IdentityFile=/a", "IdentityFile=\"/b c\"", "ConnectTimeout=1m")
	if err != nil {
		t.Fatal(err)
	}
	if r.Port != 2222 || r.ServerAliveInterval != 10*time.Second || r.ServerAliveCountMax != 7 || r.ConnectTimeout != time.Minute || r.HostName != "host" ||
		!slices.Equal(r.resolution.options["identityfile"], []string{"/a", "/b c"}) {
		t.Errorf("%+v", r)
	}
	_, err = resolveWith(t, "", "Prot=22")
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken || !strings.Contains(err.Error(), "test.tunnel:1: Prot") {
		t.Error(err)
	}
	_, err = Resolve(t.Context(), Config{Destination: "host", Transport: tunnelfile.TransportOpenSSH})
	if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken {
		t.Error(err)
	}
}

// TestKeywordsAreComplete holds the table against what this machine's ssh prints.
func TestKeywordsAreComplete(t *testing.T) {
	testbed.Need(t, "ssh")
	o, err := runSSH(t.Context(), "ssh", "", []string{"-F", "none"}, destination{host: "host"})
	if err != nil {
		t.Fatal(err)
	}
	for keyword := range o {
		if _, ok := keywords[keyword]; !ok {
			t.Errorf("ssh -G prints %s, which is not in the table", keyword)
		}
	}
	if len(o) < 60 {
		t.Errorf("ssh -G prints only %d keywords", len(o))
	}
}

// FuzzOptions reads anything as the output of ssh -G.
func FuzzOptions(f *testing.F) {
	f.Add("host x\nhostname [::1]\nport 22\nlocalforward 9000 [h]:80\nlocalforward /a b /c d\nremoteforward 1080 [socks]:0\ndynamicforward [*]:1080\n")
	f.Add("user me\nport x\nidentityfile ~/x y\nproxyjump a,b:23\nuserknownhostsfile a b\nrekeylimit 1G 1h\n")
	f.Fuzz(func(t *testing.T, text string) {
		r := &Resolved{config: Config{Destination: "host"}, resolution: resolution{options: parseOptions(text), unset: map[string]bool{}}}
		if err := r.read(); err != nil && fault.As(err) == nil {
			t.Errorf("%T %v", err, err)
		}
		for _, fw := range r.Forwards {
			if fw.Listen == (tunnelfile.Address{}) && fw.Kind != tunnelfile.RemoteForward {
				t.Errorf("%q listens nowhere", fw.Text)
			}
		}
		for _, keyword := range []string{"userknownhostsfile", "identityfile", "knownhostscommand"} {
			r.path(r.option(keyword))
		}
		r.rekeyLimit()
		parseQoS(r.option("ipqos"))
		jumpDestination(r.option("proxyjump"))
		r.algorithms(nil)
	})
}

// FuzzKnownLine reads anything as a line of a known_hosts file.
func FuzzKnownLine(f *testing.F) {
	f.Add("[127.0.0.1]:22,host* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8b5nGZ5hZ5b7mP5oHk8p5q4Z1i5p0V7l3Xq9QbY2pK comment")
	f.Add("|1|c2FsdA==|aGFzaA==| ssh-rsa AAAA")
	f.Add("@cert-authority *.example.org,!x ssh-ed25519 AAAA")
	f.Add("@revoked\t* ssh-ed25519")
	f.Fuzz(func(t *testing.T, line string) {
		k, about, err := parseKnownLine(line, "[127.0.0.1]:22")
		if about && (err != nil || k.key == nil) {
			t.Errorf("%q: about the host, but %v, %v", line, k.key, err)
		}
	})
}

func FuzzDestination(f *testing.F) {
	for _, s := range []string{"host", "me@host", "ssh://me@[::1]:22", "-oX", "a@b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDestination(text)
		if err != nil {
			return
		}
		if d.host == "" || strings.HasPrefix(d.host, "-") || strings.HasPrefix(d.user, "-") || strings.ContainsAny(d.host+d.user, "'`\"$;&<>|(){} \n") {
			t.Errorf("%q: %+v", text, d)
		}
	})
}

func TestWildcard(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "x", true}, {"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "acb", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"", "", true}, {"", "a", false}, {"*a*b*", "xxaxxbxx", true},
		{"[127.0.0.*]:22", "[127.0.0.1]:22", true}, {strings.Repeat("*a", 50) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := wildcard(c.pattern, c.name); got != c.want {
			t.Errorf("%.20q against %.20q: %v", c.pattern, c.name, got)
		}
	}
}

// TestJumpsThroughItself has a host whose jump host is reached through it. ssh itself would start
// one ssh after the other without end: it is never asked to.
func TestJumpsThroughItself(t *testing.T) {
	testbed.Need(t, "ssh")
	for _, config := range []string{"Host *\n Port 2222\n ProxyJump host\n", "Host host\n ProxyJump other\nHost other\n ProxyJump host\n"} {
		for _, transport := range []string{"native", "openssh"} {
			file := filepath.Join(t.TempDir(), "config")
			write(t, file, config)
			_, err := Resolve(t.Context(), Config{Destination: "host", ConfigFile: file, Transport: tunnelfile.Transport(transport)})
			if e := fault.As(err); e == nil || e.Class() != fault.ClassMistaken || !strings.Contains(err.Error(), "jump through itself") {
				t.Errorf("%s: %v", transport, err)
			}
		}
	}
}
