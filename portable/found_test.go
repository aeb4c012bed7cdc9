package portable

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// lines are what was found, a line each: name, places by line, forwards, and what is not carried over.
func lines(t *testing.T, found []Found) []string {
	t.Helper()
	var all []string
	for _, f := range found {
		tunnel := parsed(t, f.Text)
		line := f.Name + " " + tunnel.Destination + " " + string(tunnel.Start)
		for _, forward := range tunnel.Forwards {
			line += " " + forward.Spec()
		}
		for _, s := range slices.Concat(tunnel.SSH, tunnel.Service) {
			line += " " + s.Key + "=" + s.Value
		}
		for _, note := range f.Notes {
			line += " | " + note
		}
		all = append(all, line)
	}
	return all
}

func both(r Result) ([]Found, []tunnelfile.Problem) { return r.Found, r.Problems }

func messages(problems []tunnelfile.Problem) []string {
	var all []string
	for _, p := range problems {
		p.Path = filepath.Base(p.Path)
		all = append(all, p.Error())
	}
	return all
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s:\ngot  %s\nwant %s", what, got[i], want[i])
		}
	}
}

func TestScript(t *testing.T) {
	for _, test := range []struct {
		text     string
		want     []string
		problems []string
	}{
		{"ssh -L 1:a:1 h\n", []string{"h h manual 1 a:1"}, nil},
		{"ssh h uptime; scp a b; rsync -e 'ssh -p 1' a b; ssh-add; echo ssh -L\n", nil, nil},
		{"# ssh -L 1:a:1 h\n: <<EOF\nssh -L 1:a:1 h\nEOF\nssh -D 2 h >/dev/null 2>&1 </dev/null &\n", []string{"h h manual 2"}, []string{"x:3: mentions ssh, and what runs there cannot be told; " + addInstead}},
		{"H=me@h\nO='-N -o ServerAliveInterval=5'\nwhile :; do exec ssh $O -L \"${P:-1}:a:1\" \\\n \"$H\" || true; done\n",
			[]string{"h me@h manual 1 a:1 ServerAliveInterval=5"}, nil},
		{"export H=h\nif true; then ssh -L 1:a:1 $H; else ssh -L ~/s:/t $H; fi", []string{"h h manual 1 a:1", "h h manual HOME/s /t"}, nil},
		{"ssh -N -L $1:a:1 h\nH=$(date); ssh -D 1 $H\nfor x in a b; do ssh -D 1 $x; done", nil, []string{
			"x:1: $1: what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel",
			"x:2: $H: what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel",
			"x:3: $x: what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel",
		}},
		{"O=(-N -L 1:a:1)\nO+=(-p 2)\nssh \"${O[@]}\" h\nO[1]=x\nO=($1); ssh ${O[@]} -N h", []string{"h h manual 1 a:1 Port=2"},
			[]string{"x:5: ${O[@]}: what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel"}},
		{"ssh -F /nowhere/c -N -L 1:a:1 h\nssh -L 1 h\nssh -W a:1 h\n", nil, []string{
			"x:1: -F /nowhere/c: no such file or directory",
			"x:2: -L 1: does not say where 1 goes: add host:port or the path of a socket",
		}},
		{"sudo -u bob ssh -D 1 h\nsu - bob -c 'ssh -D 2 h'\nsshpass -p x ssh -D 3 h\nenv A=b nohup autossh -M0 -N h",
			[]string{
				"h h manual 1 | sudo: it ran as another user; the tunnel runs as you",
				"h h manual 2 | su: it ran as another user; the tunnel runs as you",
				"h h manual 3 | sshpass: the password: holdfast up asks for it and offers to remember it",
				"h h manual",
			}, nil},
		{"AUTOSSH_MAXSTART=3 autossh -M 20000:7 -f -X -L 1:a:1 h sleep 1d",
			[]string{"h h manual 1 a:1 | -X: a tunnel forwards no X11 | the command on the server (sleep 1d): a tunnel runs none there | AUTOSSH_MAXSTART=3: a tunnel does not give up"}, nil},
		{"ssh -fNM -S none -w 0 -L 1:a:1 h", []string{"h h manual 1 a:1 ControlPath=none | -M: a tunnel's connection is no ControlMaster for other ssh commands (autossh's -M has a port behind it) | -w 0: a tunnel forwards no network device"}, nil},
		{"ssh -N -i key -L /run/100%%/a:/b h", []string{"h h manual /run/100%/a /b IdentityFile=/dir/key"}, nil},
		{"ssh -N -L /run/%h:/b h", nil, []string{"x:1: -L /run/%h:/b: %h in the path of a socket: write out what it stands for"}},
		{"@reboot sleep 5 && ssh -NfL 1:a:1 h\nA=7\n*/5 1-4 * jan mon,tue ssh -D $A h\\%x%input\n", []string{"h h auto 1 a:1", "h-x h%x auto 7"}, nil},
		{"ssh -N -L 1:a#b:1 h # ssh -D 2 h", []string{"h h manual 1 \"a#b:1\""}, nil},
		{"bash -lc \"ssh -D 1 '$USER'@h\"", []string{"h me@h manual 1"}, nil},
	} {
		m := machine(t)
		found, problems := both(m.FromText("/dir/x", test.text))
		for i := range test.want {
			test.want[i] = strings.ReplaceAll(test.want[i], "HOME", m.Home)
		}
		compare(t, test.text, lines(t, found), test.want)
		compare(t, test.text, messages(problems), test.problems)
	}
}

// The shape that people copy from one another.
const classic = `[Unit]
Description=AutoSSH tunnel
After=network-online.target vpn.service
[Service]
Environment="AUTOSSH_GATETIME=0" "AUTOSSH_POLL=60"
Environment=SSH_AUTH_SOCK=%t/agent
ExecStart=/usr/bin/autossh -M 0 -N -q -o "ServerAliveInterval 60" -o ExitOnForwardFailure=yes \
  -i %h/key -L 5432:localhost:5432 me@host
ExecStop=/bin/kill $MAINPID
RestartSec=60
Restart=always
[Install]
WantedBy=default.target
`

func TestUnit(t *testing.T) {
	const classicTunnel = "web me@host START 5432 localhost:5432 ServerAliveInterval=60 ExitOnForwardFailure=yes IdentityFile=HOME/key " +
		"Environment=SSH_AUTH_SOCK=/run/user/1000/agent | AUTOSSH_POLL=60: ServerAliveInterval= asks a link that is idle, every 10 s where nobody says otherwise | " +
		"RestartSec=60: a tunnel tries again at once, and then after growing delays up to RetryMax="
	for _, test := range []struct {
		name, text string
		want       []string
		problems   []string
	}{
		{"classic", classic, []string{classicTunnel}, nil},
		{"not ssh", "[Service]\nExecStart=/usr/bin/python3 -m http.server\n", nil, nil},
		{"variables", "[Service]\nEnvironment=P=80 \"H=me@h\" 'O=-N -D 1'\nExecStart=-@/usr/bin/ssh name $O -L ${P}:a:${P} -o SetEnv=A=$$x%% $H\n",
			[]string{"web me@h START 1 80 a:80 SetEnv=A=$x%"}, nil},
		{"an unknown variable", "[Service]\nExecStart=ssh -N -L ${P}:a:1 h\n", nil, []string{"web.service:2: $P: what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel"}},
		{"a shell", "[Service]\nEnvironment=P=80\nExecStart=/bin/sh -c 'exec /usr/bin/env A=b ssh -N -L $$P:a:1 \"h\"' ; /bin/true\n", []string{"web h START 80 a:1"}, nil},
		{"two commands", "[Service]\nType=oneshot\nExecStart=ssh -fND 1 h\nExecStart=ssh -fND 2 h\n", []string{"web h START 1", "web h START 2"}, nil},
		{"an empty assignment", "[Service]\nExecStart=ssh -ND 1 h\nExecStart=\nExecStart=ssh -ND 2 h\n", []string{"web h START 2"}, nil},
		{"a specifier", "[Service]\nExecStart=ssh -ND 1 %b\n", nil, []string{"web.service:2: ExecStart: the specifier %b is not known here"}},
		{"what a tunnel takes", "[Service]\nMemoryMax=1G\nExecStartPre=/bin/true\nExecStart=ssh -ND 1 h\n",
			[]string{"web h START 1 MemoryMax=1G | ExecStartPre=/bin/true: [Service] of a tunnel file takes it, if it is still needed; ExecUp= and ExecDown= run with each connection"}, nil},
		{"a sandbox", "[Service]\nProtectHome=yes\nNice=5\nNoNewPrivileges=yes\nExecStart=ssh -ND 1 h\n",
			[]string{"web h START 1 Nice=5 | ProtectHome=, NoNewPrivileges=: a tunnel's unit is confined in its own way; what ssh could do without, it may need"}, nil},
		{"forwards of ssh_config", "[Service]\nExecStart=autossh -M 0 -N work\n", []string{"web work START"}, nil},
	} {
		m := machine(t)
		path := m.write(t, "web.service", test.text)
		for _, start := range []string{"manual", "auto"} {
			found, problems := both(m.FromUnit(path))
			var want []string
			for _, line := range test.want {
				if strings.Contains(test.text, "WantedBy") {
					line = strings.Replace(line, "START", start, 1)
				}
				want = append(want, strings.NewReplacer("START", "manual", "HOME", m.Home).Replace(line))
			}
			compare(t, test.name, lines(t, found), want)
			compare(t, test.name, messages(problems), test.problems)
			for _, f := range found {
				if !slices.Equal(f.Todo, []string{"systemctl --user disable --now web.service"}) {
					t.Errorf("%s: to do: %q", test.name, f.Todo)
				}
			}
			if start == "manual" {
				m.enable(t, "web.service", "web.service")
			}
		}
	}
}

func TestUnitDropInsAndInstances(t *testing.T) {
	m := machine(t)
	m.write(t, "web.service.d/10.conf", "[Service]\nExecStart=\nExecStart=ssh -ND 2 h\n")
	found, problems := both(m.FromUnit(m.write(t, "web.service", "[Service]\nExecStart=ssh -ND 1 h\n")))
	compare(t, "drop-in", lines(t, found), []string{"web h manual 2"})
	compare(t, "drop-in", messages(problems), nil)

	template := m.write(t, "tunnel@.service", "[Service]\nEnvironmentFile=-%h/env-%i\nExecStart=ssh -N -L ${PORT}:a:1 %i-%I\n[Install]\nWantedBy=default.target\n")
	found, problems = both(m.FromUnit(template))
	compare(t, "no instance", lines(t, found), nil)
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "no instance of it is enabled") {
		t.Error(problems)
	}
	if err := os.WriteFile(filepath.Join(m.Home, "env-a"), []byte("# c\nPORT=\"80\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.enable(t, "tunnel@.service", "tunnel@a.service")
	found, problems = both(m.FromUnit(template))
	compare(t, "an instance", lines(t, found), []string{"tunnel-a a-a auto 80 a:1"})
	compare(t, "an instance", messages(problems), nil)

	// A script that a unit runs, with its arguments.
	script := filepath.Join(m.Home, "up.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec ssh -N -L \"$1:a:1\" h\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	found, problems = both(m.FromUnit(m.write(t, "s.service", "[Service]\nExecStart=%h/up.sh 99\n")))
	compare(t, "a script", lines(t, found), []string{"s h manual 99 a:1 | what else " + script + " does"})
	compare(t, "a script", messages(problems), nil)

	// One that no shell reads is told of if it may have to do with ssh.
	for text, want := range map[string][]string{
		"#!/bin/sh\nssh -ND 1 h\n(\n": {"s.service:2: " + script + ":3: syntax error: `(` must be followed by a statement list"},
		"#!/bin/sh\n(\n":              nil,
	} {
		if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		_, problems = both(m.FromUnit(m.write(t, "s.service", "[Service]\nExecStart=%h/up.sh 99\n")))
		compare(t, text, messages(problems), want)
	}
}

func TestSSHConfig(t *testing.T) {
	m := machine(t)
	write := func(path, text string) string {
		path = filepath.Join(m.Home, ".ssh", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("conf.d/a", "LocalForward 2 a:2\nHost inner\n  DynamicForward 3\n")
	write("conf.d/b", "RemoteForward 4 a:4\n")
	write("conf.d/c", "Host last\n  Port 1\n")
	config := write("config", "Host *\n  User x\nHost *.w work w2\n  LocalForward 1 a:1\n  Include "+m.Home+"/.ssh/conf.d/*\n  DynamicForward 7\nHost none\n Port 1\nHost *.x\n LocalForward 5 a:5\nMatch host y\n LocalForward 6 a:6\n")
	found, problems := both(m.FromFile(config))
	compare(t, "config", lines(t, found), []string{"work work manual", "y y manual"})
	compare(t, "config", messages(problems), []string{
		"a:3: DynamicForward 3 stands under Host inner, included under Host *.w work w2: which host the tunnel goes to cannot be told",
		"config:10: LocalForward 5 a:5 stands under Host *.x: which host the tunnel goes to cannot be told",
	})
	var kept []string
	for _, f := range found {
		kept = append(kept, strings.ReplaceAll(strings.Join(f.InSSHConfig, ", "), m.Home+"/.ssh/", ""))
	}
	compare(t, "kept", kept, []string{"LocalForward 1 a:1 (config:4), LocalForward 2 a:2 (conf.d/a:1), RemoteForward 4 a:4 (conf.d/b:1), DynamicForward 7 (config:6)", "LocalForward 6 a:6 (config:12)"})

	// One that ssh does not read by itself is taken over whole.
	found, problems = both(m.FromFile(write("other", "Host work\n HostName 192.0.2.1\n Port 2\n Port 3\n IdentityFile ~/a\n IdentityFile ~/b\n LocalForward 1 a:1\n LocalForward 2 a:2\n")))
	compare(t, "other", lines(t, found), []string{"work work manual 1 a:1 2 a:2 HostName=192.0.2.1 Port=2 IdentityFile=~/a IdentityFile=~/b"})
	compare(t, "other", messages(problems), nil)
	_, problems = both(m.FromFile(write("wrong", "Host work\n LocalForward 1 nowhere\n")))
	compare(t, "wrong", messages(problems), []string{`wrong:2: LocalForward the target "nowhere" is neither host:port nor the path of a socket`})
}

// What ssh -F reads is taken over as far as it is about the host.
func TestConfigOfF(t *testing.T) {
	m := machine(t)
	config := filepath.Join(m.Home, "tunnels")
	if err := os.WriteFile(config, []byte("ServerAliveInterval 5\nHost other\n Port 1\nHost db !x* d?\n HostName 192.0.2.1\n Port 2\n LocalForward 1 a:1\n"+
		"Match user me\n Port 3\nHost *\n Port 4\n User me\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, problems := both(m.FromUnit(m.write(t, "web.service", "[Service]\nExecStart=ssh -F %h/tunnels -N -o User=you db\n")))
	compare(t, "-F", lines(t, found), []string{"web db manual 1 a:1 User=you ServerAliveInterval=5 HostName=192.0.2.1 Port=2 | " +
		"Match user me (" + config + ":8): whether it counts cannot be told here | -F " + config + ": the tunnel file says what that says of db, and ~/.ssh/config counts behind it"})
	compare(t, "-F", messages(problems), nil)
	found, _ = both(m.FromUnit(m.write(t, "web.service", "[Service]\nExecStart=ssh -F %h/tunnels -N ssh://he@other:9\n")))
	if tunnel := parsed(t, found[0].Text); len(tunnel.SSH) != 1 {
		t.Errorf("what the destination says is said again: %v", tunnel.SSH)
	}
}

func TestMerge(t *testing.T) {
	merged := Merge([]Found{
		{Name: "unit", Text: "[Tunnel]\nDestination=work\nStart=auto\n", Places: []string{"u:1"}, Todo: []string{"a"}},
		{Name: "other", Text: "[Tunnel]\nDestination=other\n"},
		{Name: "host", Text: "[Tunnel]\nDestination=work\nStart=manual\n", Places: []string{"c:1"}, Todo: []string{"b"}},
	})
	if len(merged) != 2 || merged[0].Name != "unit" || !slices.Equal(merged[0].Places, []string{"u:1", "c:1"}) || !slices.Equal(merged[0].Todo, []string{"a", "b"}) {
		t.Errorf("%+v", merged)
	}
}

func TestValidName(t *testing.T) {
	for text, want := range map[string]string{
		"web": "web", "ssh-tunnel@db": "ssh-tunnel-db", "192.0.2.1": "192.0.2.1", "::1": "1", ".hidden": "hidden", "": "tunnel", "ü": "tunnel",
		"a b/c_d-": "a-b-c_d", strings.Repeat("x", 99): strings.Repeat("x", 60),
	} {
		if got := ValidName(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestUnescapeName(t *testing.T) {
	for text, want := range map[string]string{
		"a-b.c": "a/b.c", `a\x2db`: "a-b", `\xc3\xA4`: "ä", `\xzz-\x+1\x2`: `\xzz/\x+1\x2`, "": "",
	} {
		if got := unescapeName(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func tunnelOf(text string) tunnelfile.Tunnel {
	t, _ := tunnelfile.Parse("web", "", "[Tunnel]\n"+text)
	return t
}

// TestUnitOfSystem holds that a unit of the system's becomes a tunnel that runs as the same user.
func TestUnitOfSystem(t *testing.T) {
	text := "[Service]\nUser=deploy\nGroup=www\nExecStart=/usr/bin/autossh -M 0 -N -L 8080:localhost:80 me@host\n"
	for _, c := range []struct {
		machine Machine
		want    []string
	}{
		{Machine{System: true, Home: "/root", User: "root"}, []string{"User=deploy", "Group=www"}},
		{Machine{Home: "/home/me", User: "me"}, nil},
	} {
		found, problems := both(c.machine.FromText(StandardInput, text))
		if len(found) != 1 || len(problems) > 0 {
			t.Fatal(found, problems)
		}
		var got []string
		for _, s := range parsed(t, found[0].Text).Service {
			got = append(got, s.Key+"="+s.Value)
		}
		compare(t, "of the system "+map[bool]string{true: "yes", false: "no"}[c.machine.System], got, c.want)
	}
}

// TestWhoseUnit holds by what a unit is told to be the system's.
func TestWhoseUnit(t *testing.T) {
	for _, c := range []struct {
		path, text string
		system     bool
	}{
		{"/dir/a.service", "[Service]\nExecStart=ssh -ND 1 h\n[Install]\nWantedBy=default.target\n", false},
		{"/dir/a.service", "[Service]\nUser=bob\nExecStart=ssh -ND 1 h\n", true},
		{"/dir/a.service", "[Service]\nExecStart=ssh -ND 1 h\n[Install]\nWantedBy=multi-user.target\n", true},
		{"/dir/etc/systemd/system/a.service", "[Service]\nExecStart=ssh -ND 1 h\n", true},
		{"/dir/systemd/user/a.service", "[Service]\nExecStart=ssh -ND 1 h\n[Install]\nWantedBy=multi-user.target\n", false},
		{StandardInput, "[Service]\nUser=bob\nExecStart=ssh -ND 1 h\n", true},
	} {
		text := strings.Replace(c.text, "[Service]", "[Unit]\nRequires=vpn.service\n[Service]", 1)
		found, problems := both(machine(t).FromText(c.path, text))
		if len(found) != 1 || len(problems) > 0 {
			t.Fatal(c, found, problems)
		}
		all := strings.Join(slices.Concat(found[0].Notes, found[0].Todo), "\n")
		for part, want := range map[string]bool{"Requires=vpn.service: is for the system's units": c.system, "sudo systemctl": c.system && c.path != StandardInput,
			"User=bob: the tunnel runs as you": strings.Contains(c.text, "bob")} {
			if got := strings.Contains(all, part); got != want {
				t.Errorf("%s %s: %q: %v\n%s", c.path, c.text, part, got, all)
			}
		}
	}
}

// TestEnvironment holds that secrets stay where they are.
func TestEnvironment(t *testing.T) {
	m := machine(t)
	file := filepath.Join(m.Home, "env")
	unit := "[Service]\nEnvironmentFile=%h/env\nEnvironmentFile=-%h/none\nEnvironment=MINE=1 SSHPASS=word\nExecStart=sshpass -e ssh -N -D ${PORT} h\n"
	for text, want := range map[string]string{
		"PORT=1\nSSHPASS=word\n": "web h manual 1 EnvironmentFile=-HOME/none Environment=MINE=1",
		"PORT=1\nTOKEN=word\n":   "web h manual 1 EnvironmentFile=HOME/env EnvironmentFile=-HOME/none Environment=MINE=1",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, problems := both(m.FromUnit(m.write(t, "web.service", unit)))
		compare(t, text, lines(t, found), []string{strings.ReplaceAll(want, "HOME", m.Home) +
			" | sshpass: the password: holdfast up asks for it and offers to remember it | SSHPASS: the password; holdfast up asks for it and offers to remember it"})
		compare(t, text, messages(problems), nil)
		if strings.Contains(found[0].Text, "word") {
			t.Errorf("a secret is copied:\n%s", found[0].Text)
		}
	}
}

// TestDropInsOfEveryName reads the drop-ins of a template, of a prefix and of all services.
func TestDropInsOfEveryName(t *testing.T) {
	m := machine(t)
	path := m.write(t, "tun-nel@.service", "[Service]\nExecStart=ssh -ND 1 h\n[Install]\nDefaultInstance=a\nWantedBy=default.target\n")
	m.enable(t, "tun-nel@.service", "tun-nel@a.service")
	m.write(t, "tun-nel@.service.d/10.conf", "[Service]\nExecStart=\nExecStart=ssh -ND 2 %i\n")
	m.write(t, "tun-.service.d/20.conf", "[Service]\nNice=5\n")
	m.write(t, "service.d/30.conf", "[Service]\nMemoryMax=1G\n")
	m.write(t, "tun-nel@a.service.d/30.conf", "[Service]\nMemoryMax=2G\n")
	found, problems := both(m.FromUnit(path))
	compare(t, "drop-ins", lines(t, found), []string{"tun-nel-a a auto 2 Nice=5 MemoryMax=2G"})
	compare(t, "drop-ins", messages(problems), nil)
	found, _ = both(m.FromFile(m.write(t, "web.service.d/10.conf", "[Service]\nExecStart=\nExecStart=ssh -ND 3 h\n")))
	compare(t, "a drop-in by its path", lines(t, found), []string{"web h manual 3"})
}

// TestHostStar holds that what stands under Host * counts for each host, and is not left out.
func TestHostStar(t *testing.T) {
	m := machine(t)
	const text = "Host work\n LocalForward 1 a:1\nHost *\n DynamicForward 2\n User me\n"
	path := filepath.Join(m.Home, ".ssh/config")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := m.FromFile(path)
	compare(t, "config", messages(r.Problems), nil)
	if len(r.Found) != 1 || len(r.Found[0].InSSHConfig) != 2 {
		t.Errorf("%+v", r.Found)
	}
	found, problems := both(m.FromText(StandardInput, text))
	compare(t, "a text", lines(t, found), []string{"work work manual 1 a:1 2 User=me"})
	compare(t, "a text", messages(problems), nil)
	_, problems = both(m.FromText(StandardInput, "LocalForward 1 a:1\n"))
	compare(t, "no host", messages(problems), []string{"standard input:1: LocalForward 1 a:1 stands under no Host line: which host the tunnel goes to cannot be told"})
}

// TestStarts holds that what a person calls by name does not start by itself.
func TestStarts(t *testing.T) {
	for path, want := range map[string][]string{
		"/home/me/.bashrc":    {"manual", "manual", "auto"},
		"/home/me/.profile":   {"manual", "manual", "auto"},
		"/home/me/bin/up":     {"manual", "manual", "manual"},
		"/etc/cron.hourly/up": {"auto", "auto", "auto"},
	} {
		r := machine(t).FromText(path, "alias a='ssh -ND 1 h'\nf() { ssh -ND 2 h; }\nssh -fND 3 h\n")
		var got []string
		for _, f := range r.Found {
			got = append(got, string(parsed(t, f.Text).Start))
		}
		compare(t, path, got, want)
	}
}
