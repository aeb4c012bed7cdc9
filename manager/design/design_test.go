package design

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

var testHost = Host{
	Program: "/usr/bin/holdfast-tunnel",
}

func parse(t *testing.T, text string) tunnelfile.Tunnel {
	t.Helper()
	tunnel, problems := tunnelfile.Parse("web", "/home/me/.config/holdfast/web.tunnel", "[Tunnel]\nDestination=me@server\n"+text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return tunnel
}

func TestListeners(t *testing.T) {
	for _, c := range []struct {
		text string
		want string
	}{
		{"RemoteForward=9090:localhost:9090", ""},
		{"LocalForward=5432:db:5432", "127.0.0.1:5432 [::1]:5432"},
		{"LocalForward=localhost:5432:db:5432", "127.0.0.1:5432 [::1]:5432"},
		{"LocalForward=127.0.0.1:5432 db:5432", "127.0.0.1:5432"},
		{"LocalForward=[::1]:5432:db:5432", "[::1]:5432"},
		{"LocalForward=*:5432:db:5432", "5432"},
		{"LocalForward=:5432:db:5432", "5432"},
		{"DynamicForward=1080", "127.0.0.1:1080 [::1]:1080"},
		{"LocalForward=/run/x.sock:/run/y.sock", "/run/x.sock"},
		{"LocalForward=5432:db:5432\nDynamicForward=*:1080", "127.0.0.1:5432 [::1]:5432 1080"},
		{"LocalForward=5432:db:5432\n[SSH]\nGatewayPorts=yes", "5432"},
		{"LocalForward=localhost:5432:db:5432\n[SSH]\nGatewayPorts=yes", "127.0.0.1:5432 [::1]:5432"},
	} {
		ls, problems, _ := listenersOf(t.Context(), parse(t, c.text))
		var got []string
		for _, l := range ls {
			got = append(got, l.stream())
		}
		if len(problems) > 0 || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q %v, want %q", c.text, got, problems, c.want)
		}
	}
	_, problems, _ := listenersOf(t.Context(), parse(t, "LocalForward=nowhere.invalid:1:db:1"))
	if len(problems) != 1 || problems[0].Line != 3 || problems[0].Key != "LocalForward" {
		t.Errorf("a bind address that does not resolve: %v", problems)
	}
}

// values is the properties of a unit by name; what is sent twice is joined.
func values(u systemdctl.Transient) map[string]string {
	m := make(map[string]string)
	for _, p := range u.Properties {
		m[p.Name] += p.Value.String()
	}
	return m
}

func TestDesign(t *testing.T) {
	d, problems := Of(t.Context(), parse(t, `LocalForward="/run/x y.sock" /run/y.sock
[SSH]
StreamLocalBindMask=0117
StreamLocalBindUnlink=no
[Unit]
After=gpg-agent.socket
[Service]
RestartSec=1min
MemoryMax=64M
Environment=A=b`), testHost)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	service, socket := values(d.Service), values(d.Socket)
	for _, c := range []struct{ got, want string }{
		{d.Service.Name, "holdfast-tunnel@web.service"},
		{d.Socket.Name, "holdfast-tunnel@web.socket"},
		{service["Slice"], `"app-holdfast.slice"`},
		{socket["Slice"], `"app-holdfast.slice"`},
		{service["Type"], `"notify"`},
		{service["Restart"], `"always"`},
		{service["RestartUSec"], `@t 60000000`},
		{service["TimeoutStartUSec"], `@t 18446744073709551615`},
		{service["WatchdogUSec"], `@t 30000000`},
		{service["MemoryMax"], `@t 67108864`},
		{service["FileDescriptorStoreMax"], `@u 64`},
		{service["NoNewPrivileges"], `true`},
		{service["StartLimitIntervalUSec"], `@t 60000000`},
		{service["StartLimitBurst"], `@u 5`},
		{service["Requires"], `["holdfast-tunnel@web.socket"]`},
		{service["After"], `["holdfast-tunnel@web.socket"]["gpg-agent.socket"]`},
		{service["Environment"], `["` + d.Mark.String() + `"]["A=b"]`},
		{socket["SocketMode"], `@u 432`}, // 0660
		{socket["FileDescriptorName"], `"holdfast"`},
		{socket["RemoveOnStop"], `true`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
	if !strings.Contains(service["ExecStart"], `"/usr/bin/holdfast-tunnel", "/home/me/.config/holdfast/web.tunnel"`) {
		t.Errorf("ExecStart is %s", service["ExecStart"])
	}
	if d.unlink {
		t.Error("StreamLocalBindUnlink=no is not heeded")
	}
}

// TestDefaults makes sure that systemd takes each of our own settings: what it does not
// take would be left out in silence.
func TestDefaults(t *testing.T) {
	many := Units{Listen: make([]Listener, 2000)}
	for _, scope := range []systemdctl.Scope{systemdctl.User, systemdctl.System} {
		for section, base := range map[string][]systemdctl.Setting{
			"Unit":    unitDefaults(tunnelfile.Tunnel{}),
			"Service": many.serviceDefaults(tunnelfile.Tunnel{}, scope),
		} {
			_, errs := systemdctl.Properties(scope, section, base)
			if err := errors.Join(errs...); err != nil {
				t.Errorf("[%s]: %v", section, err)
			}
		}
	}
}

// TestPrivileges shows that a file can ask for a worker, and children, that may use sudo.
func TestPrivileges(t *testing.T) {
	for _, on := range []string{"yes", "1", "on"} { // as unit files spell it
		d, _ := Of(t.Context(), parse(t, "[Service]\nNoNewPrivileges="+on), testHost)
		if got := values(d.Service); got["MemoryDenyWriteExecute"] != "true" {
			t.Errorf("NoNewPrivileges=%s: no sandbox", on)
		}
	}
	d, _ := Of(t.Context(), parse(t, "[Service]\nNoNewPrivileges=no"), testHost)
	got := values(d.Service)
	for _, s := range sandbox[1:] {
		if got[s.Key] != "" {
			t.Errorf("%s=%s implies NoNewPrivileges=yes", s.Key, got[s.Key])
		}
	}
	if got["NoNewPrivileges"] != "false" {
		t.Errorf("NoNewPrivileges=%s", got["NoNewPrivileges"])
	}
}

func TestDesignProblems(t *testing.T) {
	tunnel := parse(t, "LocalForward=nowhere.invalid:1:db:1\n[Unit]\nFrob=1\n[Service]\nMemoryMax=lots\nType=simple")
	_, problems := Of(t.Context(), tunnel, testHost)
	var got []string
	for _, p := range problems {
		got = append(got, p.Key)
	}
	slices.Sort(got)
	if want := "Frob LocalForward MemoryMax Type"; strings.Join(got, " ") != want {
		t.Errorf("problems with %v, want %s:\n%v", got, want, problems)
	}
}

// TestDesignCompleted wants forwards of ssh_config to count where the file names none.
func TestDesignCompleted(t *testing.T) {
	configured := func(text string) func(context.Context, tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
		return func(_ context.Context, tunnel tunnelfile.Tunnel) (tunnelfile.Tunnel, error) {
			if len(tunnel.Forwards) == 0 {
				tunnel.Forwards = slices.Clone(parse(t, text).Forwards)
				for i := range tunnel.Forwards {
					tunnel.Forwards[i].Path, tunnel.Forwards[i].Line = "", 0 // ssh -G names no place
				}
			}
			return tunnel, nil
		}
	}
	for _, c := range []struct{ text, config, listens, problem string }{
		{"Start=on-demand", "DynamicForward=127.0.0.1:1080", "127.0.0.1:1080", ""},
		{"Start=on-demand", "RemoteForward=1:db:1", "", "web.tunnel:3: Start: on-demand needs a LocalForward"},
		{"Start=on-demand", "", "", "web.tunnel:3: Start: on-demand needs a LocalForward"},
		{"LocalForward=127.0.0.1:1:db:1", "LocalForward=127.0.0.1:2:db:2", "127.0.0.1:1", ""},
		{"Start=manual", "LocalForward=nowhere.invalid:1:db:1", "", "web.tunnel: LocalForward: in ssh_config: lookup nowhere.invalid"},
	} {
		h := testHost
		h.SSHConfig = configured(c.config)
		d, problems := Of(t.Context(), parse(t, c.text), h)
		var listens []string
		for _, l := range d.Listen {
			listens = append(listens, l.stream())
		}
		if got := strings.Join(listens, " "); got != c.listens {
			t.Errorf("%s with %s in ssh_config listens on %q, want %q", c.text, c.config, got, c.listens)
		}
		if len(problems) > 1 || !strings.Contains(problems.Error(), c.problem) || (c.problem == "") != (len(problems) == 0) {
			t.Errorf("%s with %s in ssh_config: %v, want %q", c.text, c.config, problems, c.problem)
		}
	}
}

func TestMark(t *testing.T) {
	base := "LocalForward=1:db:1\n"
	d := func(text string) Mark {
		d, problems := Of(t.Context(), parse(t, text), testHost)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return d.Mark
	}
	first := d(base)
	for _, c := range []struct {
		text            string
		service, socket bool // differ
	}{
		{base, false, false},
		{base + "Description=other\n", false, false},
		{base + "RemoteForward=9:h:9\n[SSH]\nServerAliveInterval=3\n", false, false},
		{base + "LocalForward=2:db:2\n", false, true},
		{base + "[SSH]\nStreamLocalBindMask=0111\n", false, true},
		{base + "[Service]\nMemoryMax=1G\n", true, false},
		{base + "[Unit]\nAfter=x.service\n", true, false},
	} {
		got := d(c.text)
		if (got.Service != first.Service) != c.service || (got.Socket != first.Socket) != c.socket {
			t.Errorf("%q: service differs %v, socket differs %v", c.text, got.Service != first.Service, got.Socket != first.Socket)
		}
		if back, ok := MarkOf([]string{"A=b", got.String()}); !ok || back != got {
			t.Errorf("%v comes back as %v", got, back)
		}
	}
	if _, ok := MarkOf([]string{"PATH=/bin"}); ok {
		t.Error("a foreign unit is taken for ours")
	}
}

// TestSystemUnits holds what units of the system have besides.
func TestSystemUnits(t *testing.T) {
	h := testHost
	h.Scope = systemdctl.System
	text := "LocalForward=/run/x.sock:/run/y.sock\n[Service]\n"
	for _, c := range []struct{ service, user, group, dir string }{
		{"", `"root"`, "", `["holdfast/user/root"]`},
		{"User=deploy\nGroup=www", `"deploy"`, `"www"`, `["holdfast/user/deploy"]`},
	} {
		d, problems := Of(t.Context(), parse(t, text+c.service), h)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		service, socket := values(d.Service), values(d.Socket)
		if service["User"] != c.user || service["RuntimeDirectory"] != c.dir || !strings.Contains(service["After"], "network.target") {
			t.Errorf("%q: User %s, RuntimeDirectory %s, After %s", c.service, service["User"], service["RuntimeDirectory"], service["After"])
		}
		if socket["SocketUser"] != c.user || socket["SocketGroup"] != c.group {
			t.Errorf("%q: the socket belongs to %s %s", c.service, socket["SocketUser"], socket["SocketGroup"])
		}
	}
	if _, problems := Of(t.Context(), parse(t, text+"User=deploy"), testHost); len(problems) != 1 {
		t.Errorf("User= in a user's own tunnel: %v", problems)
	}
}

// TestSystemSandbox: what is hidden from a tunnel of the system depends on what it uses, and a
// line of its own wins.
func TestSystemSandbox(t *testing.T) {
	h := testHost
	h.Scope = systemdctl.System
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key+".pub", []byte("sk-ssh-ed25519@openssh.com AAAA"), 0o644); err != nil {
		t.Fatal(err)
	}
	base := "LocalForward=5432:localhost:5432\n"
	for _, c := range []struct {
		text, tmp, devices string
	}{
		{base, "true", "true"},
		{base + "[SSH]\nIdentityAgent=/tmp/agent/s", "", "true"},
		{base + "[Service]\nEnvironment=SSH_AUTH_SOCK=/tmp/ssh-x/agent.1", "", "true"},
		{"LocalForward=/var/tmp/s:localhost:1", "", "true"},
		{base + "[SSH]\nIdentityFile=" + key, "", ""}, // the test's folder lies in /tmp
		{base + "[SSH]\nPKCS11Provider=/usr/lib/opensc-pkcs11.so", "true", ""},
		{base + "[SSH]\nSecurityKeyProvider=internal", "true", "true"},
		{base + "[SSH]\nProxyCommand=socat - /dev/ttyUSB0", "true", ""},
		{base + "[SSH]\nProxyCommand=bash -c 'cat </dev/tcp/%h/%p 2>/dev/null'", "true", "true"},
		{base + "[Service]\nPrivateTmp=no\nPrivateDevices=no", "false", "false"},
	} {
		d, problems := Of(t.Context(), parse(t, c.text), h)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := values(d.Service)
		if got["PrivateTmp"] != c.tmp || got["PrivateDevices"] != c.devices {
			t.Errorf("%q: PrivateTmp %q, PrivateDevices %q", c.text, got["PrivateTmp"], got["PrivateDevices"])
		}
		if got["ProtectSystem"] != `"strict"` || got["CapabilityBoundingSet"] == "" {
			t.Errorf("%q: ProtectSystem %s, CapabilityBoundingSet %s", c.text, got["ProtectSystem"], got["CapabilityBoundingSet"])
		}
	}
	d, _ := Of(t.Context(), parse(t, base+"[Service]\nReadWritePaths=/srv/x\nProtectSystem=full"), h)
	got := values(d.Service)
	if paths := got["ReadWritePaths"]; !strings.Contains(paths, "/srv/x") || !strings.Contains(paths, "-/root") || got["ProtectSystem"] != `"full"` {
		t.Errorf("ReadWritePaths %s, ProtectSystem %s", paths, got["ProtectSystem"])
	}
	user, _ := Of(t.Context(), parse(t, base), testHost)
	if got := values(user.Service); got["ProtectSystem"] != "" || got["PrivateTmp"] != "" || got["MemoryDenyWriteExecute"] != "true" || got["UMask"] == "" {
		t.Errorf("a user's own: %v", got)
	}
}
