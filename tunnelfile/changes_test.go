package tunnelfile

import (
	"fmt"
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	const file = `[Tunnel]
Destination=me@server
LocalForward=5432:db:5432
RemoteForward=9090:localhost:9090
[SSH]
ServerAliveInterval=10
Ciphers=a
[Service]
MemoryMax=64M
`
	for _, c := range []struct {
		name     string
		old, new string // replacements in file; one after the other where there is "|"
		want     string
	}{
		{"nothing", "", "", ""},
		{"a comment", "[SSH]", "# more\n[SSH]", ""},
		{"what goes without saying", "[SSH]", "MaxHeld=256\n[SSH]", ""},
		{"another spelling", "5432:db:5432", "5432 db:5432", ""},
		{"description", "[SSH]", "Description=web\n[SSH]", "Description at-once"},
		{"limits", "[SSH]", "HoldTimeout=5s\nMaxHeld=1\nAllowUsers=self\nGateTime=1s\nRetryMax=2s\nCheck=connect\nMaxChannels=9\nRetryDenied=5min\nTags=a\nExecUp=true\nExecDown=true\n[SSH]",
			"HoldTimeout at-once, MaxHeld at-once, AllowUsers at-once, Tags at-once, GateTime at-once, RetryMax at-once, ExecUp at-once, ExecDown at-once, Check at-once, MaxChannels at-once, RetryDenied at-once"},
		{"destination", "me@server", "you@server", "Destination redial"},
		{"transport", "[SSH]", "Transport=openssh\n[SSH]", "Transport redial"},
		{"a key", "[SSH]", "[SSH]\nIdentityFile=~/.ssh/other", "SSH.IdentityFile redial"},
		{"a keyword less", "ServerAliveInterval=10\n", "", "SSH.ServerAliveInterval redial"},
		{"keywords in another order", "ServerAliveInterval=10\nCiphers=a", "Ciphers=a\nServerAliveInterval=10", "SSH. redial"},
		{"a forward more", "[SSH]", "LocalForward=1:h:1\nDynamicForward=1080\n[SSH]", "LocalForward added, DynamicForward added"},
		{"a forward less", "RemoteForward=9090:localhost:9090\n", "", "RemoteForward dropped"},
		{"another port", "5432:db", "5433:db", "LocalForward dropped, LocalForward added"},
		{"another target", "db:5432", "db2:5432", "LocalForward target"},
		{"all interfaces", "[SSH]", "[SSH]\nGatewayPorts=yes", "LocalForward dropped, LocalForward added, SSH.GatewayPorts redial"},
		{"manual", "[SSH]", "Start=manual\n[SSH]", "Start may-stop"},
		{"on demand", "[SSH]", "Start=on-demand\n[SSH]", "Start restarts"},
		{"idle, not on demand", "[SSH]", "IdleTimeout=1s\n[SSH]", "IdleTimeout at-once"},
		{"networks", "[SSH]", "OnlyOn=home\nNeverOn=train\nMetered=no\n[SSH]", "Metered may-stop, OnlyOn may-stop, NeverOn may-stop"},
		{"memory", "64M", "32M", "Service.MemoryMax restarts"},
		{"unit", "[Service]", "[Unit]\nStartLimitBurst=9\n[Service]", "Unit.StartLimitBurst restarts"},
	} {
		before := parseWell(t, file)
		now := parseWell(t, strings.Replace(file, c.old, c.new, 1))
		var got []string
		for _, change := range Changes(before, now) {
			key := change.Key
			if change.Section != SectionTunnel {
				key = change.Section + "." + key
			}
			got = append(got, fmt.Sprint(key, " ", string(change.Effect)))
			if change.Effect.String() == "" {
				t.Errorf("%s: %s has no words", c.name, key)
			}
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s; want %s", c.name, text, c.want)
		}
	}
}

// A file that is put in another folder is another command line.
func TestChangesOfPath(t *testing.T) {
	before := parseWell(t, "[Tunnel]\nDestination=me@server\n")
	now := before
	before.Path, now.Path = "/etc/holdfast/web.tunnel", "/home/me/.config/holdfast/web.tunnel"
	changes := Changes(before, now)
	if len(changes) != 1 || changes[0].Effect != EffectRestarts || changes[0].New != now.Path {
		t.Errorf("%+v; want a restart for the path", changes)
	}
}

func TestChangesSayOldAndNew(t *testing.T) {
	before := parseWell(t, "[Tunnel]\nDestination=me@server\nOnlyOn=home\nOnlyOn=office\n")
	now := parseWell(t, "[Tunnel]\nDestination=me@server\nRetryMax=5s\n")
	for i, want := range []Change{
		{SectionTunnel, "RetryMax", "", "5s", EffectAtOnce},
		{SectionTunnel, "OnlyOn", "home office", "", EffectMayStop},
	} {
		if got := Changes(before, now); len(got) != 2 || got[i] != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func parseWell(t *testing.T, text string) Tunnel {
	t.Helper()
	tunnel, problems := Parse("web", "", text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return tunnel
}
