package config

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

// settings are lines KEY=VALUE as an [SSH] section has them.
func settings(lines ...string) []tunnelfile.Setting {
	var s []tunnelfile.Setting
	for i, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		s = append(s, tunnelfile.Setting{Key: key, Value: value, Path: "test.tunnel", Line: i + 1})
	}
	return s
}

// write makes the files of a folder.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// resolveWith resolves host with an ssh_config(5) text and an [SSH] section.
func resolveWith(t testing.TB, config string, section ...string) (*Options, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"config": config})
	return Resolve(t.Context(), Source{Name: "web", Destination: "host", ConfigFile: filepath.Join(dir, "config"), Settings: settings(section...)})
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
			got := values{r.ServerAliveInterval, r.ConnectTimeout, r.ServerAliveCountMax, r.ExitOnForwardFailure, r.StreamLocalBindUnlink, r.Option("tcpkeepalive")}
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
	if got, byTime := r.RekeyLimit(); got != 1<<30 || !byTime {
		t.Errorf("RekeyLimit %d, %v", got, byTime)
	}
	r, err = resolveWith(t, "Host host\n HostName h\n ProxyJump a,b\nHost a\n HostName first\n Port 7\n")
	if err != nil {
		t.Fatal(err)
	}
	if r.Address() != "first:7" {
		t.Errorf("Address behind two jumps: %q", r.Address())
	}
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
		if fault.ReasonOf(err) != fault.Settings || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.bad, err)
		}
	}
	// What is wrong in ssh's own file is named as ssh names it.
	_, err := resolveWith(t, "Host *\n Prot 22\n", "ServerAliveInterval=5")
	if fault.ReasonOf(err) != fault.Settings || !strings.Contains(err.Error(), "config: line 2: Bad configuration option: prot") {
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
		"ssh://me@host:22":        {user: "me", host: "host", port: "22"},
		"ssh://[fe80::1%25lo]:22": {host: "fe80::1%lo", port: "22"},
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
		_, err := Resolve(t.Context(), Source{Destination: text, ConfigFile: "none", Settings: settings("ProxyCommand=touch " + dir + "/x-%h-%r")})
		if fault.ReasonOf(err) != fault.Settings {
			t.Errorf("%q: %v", text, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("something was run: %v", left)
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
		if _, ok := tunnelfile.SSHKeyword(keyword); !ok && !slices.Contains([]string{"host", "localforward", "remoteforward", "dynamicforward"}, keyword) {
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
		r := &Options{Source: Source{Destination: "host"}, resolution: resolution{values: parseAnswers(text), unset: map[string]bool{}}}
		if err := r.read(); err != nil && fault.As(err) == nil {
			t.Errorf("%T %v", err, err)
		}
		for _, fw := range r.Forwards {
			if fw.Listen == (tunnelfile.Address{}) && fw.Kind != tunnelfile.RemoteForward {
				t.Errorf("%q listens nowhere", fw.Text)
			}
		}
		for _, keyword := range []string{"userknownhostsfile", "identityfile", "knownhostscommand"} {
			r.Path(r.Option(keyword))
		}
		r.RekeyLimit()
		jumpDestination(r.Option("proxyjump"))
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

// TestJumpsThroughItself has a host whose jump host is reached through it. ssh itself would start
// one ssh after the other without end: it is never asked to.
func TestJumpsThroughItself(t *testing.T) {
	testbed.Need(t, "ssh")
	for _, config := range []string{"Host *\n Port 2222\n ProxyJump host\n", "Host host\n ProxyJump other\nHost other\n ProxyJump host\n"} {
		if _, err := resolveWith(t, config); fault.ReasonOf(err) != fault.Settings || !strings.Contains(err.Error(), "jump through itself") {
			t.Error(err)
		}
	}
}

// What Holdfast adds of its own is what nobody wrote, and ssh by itself would not have.
func TestUnderneath(t *testing.T) {
	testbed.Need(t, "ssh")
	for _, c := range []struct {
		config  string
		section []string
		want    []string
		shares  bool
	}{
		{"", nil, []string{"ServerAliveInterval", "ExitOnForwardFailure", "StreamLocalBindUnlink", "ConnectTimeout"}, false},
		{"Host host\n ServerAliveInterval 0\n ControlMaster auto\n", []string{"ConnectTimeout=3"}, []string{"ExitOnForwardFailure", "StreamLocalBindUnlink"}, true},
	} {
		r, err := resolveWith(t, c.config, c.section...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range r.Underneath() {
			got = append(got, s.Key)
		}
		if !slices.Equal(got, c.want) || r.Shares() != c.shares {
			t.Errorf("%q %q: %v, shares: %v", c.config, c.section, got, r.Shares())
		}
	}
}

func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		"":                            false,
		"Host x\n Port 1\n":           false,
		"# GatewayPorts yes\n":        false,
		"Host x\n gatewayports=yes":   true,
		"Include sub*.conf\n":         true,
		"Include \"sub*.conf\"\n":     true,
		"Include other none/*\n":      false,
		"Include ${SOMEWHERE}/conf\n": true, // as far as can be told
		"Include loop\n":              false,
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"sub.conf": "Host y\n  GatewayPorts no\n", "other": "Port 1\n", "loop": "Include loop\n", "config": text})
		if got := (configFile{filepath.Join(dir, "config"), dir}).mentions([]string{"gatewayports"}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
