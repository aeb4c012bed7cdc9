package portable

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// tunnels have every kind of forward, and every character that somebody may take for their own.
var tunnels = map[string]string{
	"plain":   "Destination=me@host\nLocalForward=9090:localhost:9090\n",
	"no own":  "Destination=work\n",
	"binds":   "Destination=me@host\nLocalForward=*:1:a:1\nLocalForward=:2:a:2\nLocalForward=localhost:3:a:3\nLocalForward=127.0.0.1:4 b:4\n",
	"IPv6":    "Destination=ssh://me@[2001:db8::1]:2222\nLocalForward=[::1]:5432 [2001:db8::2]:5432\nDynamicForward=[::]:1080\n",
	"URI":     "Destination=ssh://me@host:2222\nDynamicForward=1080\n",
	"remote":  "Destination=host\nRemoteForward=9090:localhost:9090\nRemoteForward=0:localhost:80\nRemoteForward=1081\nRemoteForward=/run/there:/run/here\n",
	"sockets": "Destination=host\nLocalForward=/run/user/1000/docker.sock:/var/run/docker.sock\nLocalForward=8080:/run/web.sock\nLocalForward=/run/a:db:5432\nDynamicForward=/run/socks\n",
	"odd paths": "Destination=host\nLocalForward=\"/run/my sock\" \"/run/it's \\\"quoted\\\"\"\nLocalForward=/run/100%/a%h$HOME$$ /run/b*?[x]\n" +
		"LocalForward=/run/back\\\\slash:/run/co\\:lon\nRemoteForward=\"/run/a;b#c&d|e\" /run/`date`\n",
	"settings": "Destination=host\nLocalForward=1:a:1\n\n[SSH]\nPort=2222\nIdentityFile=~/.ssh/id_a\nIdentityFile=\"/keys/my key\"\nIdentityFile=%d/.ssh/%h\n" +
		"ServerAliveInterval=60\nProxyCommand=sh -c 'nc %h %p; true' ; echo $HOME \"$X\" `date` %%\nSetEnv=A=\"b c\"\nUserKnownHostsFile=/dev/null\n",
	"units": "Description=100% \"mine\", for $5\nDestination=host\nLocalForward=1:a:1\nStart=manual\n\n[Unit]\nAfter=vpn.service\n\n[Service]\nMemoryMax=64M\nEnvironment=SSH_AUTH_SOCK=/run/agent%%1\n",
}

var around = Around{Defaults: []tunnelfile.Setting{{Key: "ServerAliveInterval", Value: "10"}, {Key: "ExitOnForwardFailure", Value: "yes"}}}

func machine(t *testing.T) Machine {
	home := t.TempDir()
	return Machine{Home: home, User: "me", UID: "1000", Host: "here.example", Runtime: "/run/user/1000", Config: filepath.Join(home, ".config")}
}

// parsed is the tunnel of a text.
func parsed(t *testing.T, text string) tunnelfile.Tunnel {
	t.Helper()
	tunnel, problems := tunnelfile.Parse("web", "", text)
	if len(problems) > 0 {
		t.Fatalf("%s\n%v", text, problems)
	}
	return tunnel
}

// meaning is what a tunnel says, however it says it, with these settings below its own.
func meaning(t tunnelfile.Tunnel, below []tunnelfile.Setting) []string {
	var all []string
	user, host, port := tunnelfile.DestinationParts(t.Destination)
	set := map[string]bool{"User": user != "", "Port": port != ""}
	if user != "" {
		all = append(all, "User="+user)
	}
	if port != "" {
		all = append(all, "Port="+port)
	}
	for _, s := range t.SSH {
		all = append(all, s.Key+"="+strings.ReplaceAll(s.Value, `"~/.ssh/id_a"`, "~/.ssh/id_a"))
		set[s.Key] = true
	}
	for _, s := range below {
		if !set[s.Key] {
			all = append(all, s.Key+"="+s.Value)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	all = append(all, "to "+host)
	for _, f := range t.Forwards {
		all = append(all, string(f.Kind)+" "+f.Spec())
	}
	return all
}

// TestRoundTrip imports what was exported.
func TestRoundTrip(t *testing.T) {
	for name, text := range tunnels {
		before := parsed(t, "[Tunnel]\n"+text)
		a := around
		a.Defaults = slices.DeleteFunc(slices.Clone(a.Defaults), func(d tunnelfile.Setting) bool {
			return slices.ContainsFunc(before.SSH, func(s tunnelfile.Setting) bool { return s.Key == d.Key })
		})
		for _, format := range []Format{SSH, Autossh, Systemd, Tunnel} {
			t.Run(fmt.Sprintf("%s, %s", name, format), func(t *testing.T) {
				m := machine(t)
				exported, _ := Export(before, format, a)
				var found []Found
				var problems []tunnelfile.Problem
				switch format {
				case Systemd:
					path := m.write(t, "web.service", exported)
					m.enable(t, "web.service", "web.service")
					found, problems = both(m.FromUnit(path))
				default:
					found, problems = both(m.FromText(StandardInput, exported))
				}
				if len(found) != 1 || len(problems) > 0 {
					t.Fatalf("%s\nfound %v, %v", exported, found, problems)
				}
				after := parsed(t, found[0].Text)
				below := a.Defaults
				if format == Tunnel {
					below = nil
				}
				if want, got := meaning(before, below), meaning(after, nil); !slices.Equal(want, got) {
					t.Errorf("%s\nwas     %q\nbecomes %q", exported, want, got)
				}
				if len(found[0].Notes) > 0 {
					t.Errorf("%s\nnot carried over: %q", exported, found[0].Notes)
				}
				if format != Systemd {
					return
				}
				if name == "units" && after.Description != before.Description {
					t.Errorf("Description=%s", after.Description)
				}
				values := func(settings []tunnelfile.Setting) (list []string) {
					for _, s := range settings {
						list = append(list, s.Key+"="+s.Value)
					}
					slices.Sort(list)
					return list
				}
				if !slices.Equal(values(before.Unit), values(after.Unit)) || !slices.Equal(values(before.Service), values(after.Service)) {
					t.Errorf("%s\n%v %v", exported, after.Unit, after.Service)
				}
			})
		}
	}
}

// write writes a unit file of the person's.
func (m Machine) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(m.Config, "systemd/user", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// enable makes the link that systemctl enable would make.
func (m Machine) enable(t *testing.T, file, name string) {
	t.Helper()
	wants := filepath.Join(m.Config, "systemd/user/default.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../"+file, filepath.Join(wants, name)); err != nil {
		t.Fatal(err)
	}
}

// TestShellTakesLine has a real shell take the exported line apart.
func TestShellTakesLine(t *testing.T) {
	testbed.Need(t, "sh")
	bin := t.TempDir()
	for _, program := range []string{"ssh", "autossh"} {
		if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\nprintf '%s\\0' \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range tunnels {
		for format, before := range map[Format][]string{SSH: nil, Autossh: {"-M", "0"}} {
			tunnel := parsed(t, "[Tunnel]\n"+text)
			line, _ := Export(tunnel, format, around)
			cmd := exec.Command("sh", "-c", line)
			cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
			out, err := cmd.Output()
			words, _ := sshWords(tunnel, around)
			if want := strings.Join(append(before, words...), "\x00") + "\x00"; err != nil || string(out) != want {
				t.Errorf("%s: %s\ngot  %q\nwant %q\n%v", name, line, out, want, err)
			}
		}
	}
}

// TestSSHTakesLine has the real ssh read it.
func TestSSHTakesLine(t *testing.T) {
	testbed.Need(t, "ssh")
	for name, text := range tunnels {
		words, _ := sshWords(parsed(t, "[Tunnel]\n"+text), around)
		if out, err := exec.Command("ssh", append([]string{"-G", "-F", "none"}, words...)...).CombinedOutput(); err != nil {
			t.Errorf("%s: ssh %q: %s", name, words, out)
		}
	}
}
