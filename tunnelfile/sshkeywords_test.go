package tunnelfile

import (
	"os/exec"
	"strings"
	"testing"
)

// irrelevant says of each keyword that is not about tunnels why it is not.
var irrelevant = map[string]string{
	"AddKeysToAgent":          "a key that is decrypted for a tunnel stays in it",
	"ControlMaster":           "a tunnel has a connection of its own",
	"ControlPersist":          "a connection ends with its tunnel",
	"EnableEscapeCommandline": "there is no terminal to type ~ on",
	"EscapeChar":              "there is no terminal to type ~ on",
	"FingerprintHash":         "what a person compares is SHA-256 everywhere here",
	"ForkAfterAuthentication": "systemd keeps the process",
	"ForwardAgent":            "a tunnel runs nothing over there that would sign",
	"ForwardX11":              "a tunnel runs nothing over there that has windows",
	"ForwardX11Timeout":       "of ForwardX11",
	"ForwardX11Trusted":       "of ForwardX11",
	"LocalCommand":            "never run: ExecUp= is the tunnel's own",
	"LogVerbose":              "for who debugs ssh itself",
	"ObscureKeystrokeTiming":  "there is no terminal to type on",
	"PermitLocalCommand":      "of LocalCommand",
	"RequestTTY":              "RemoteCommand has no terminal",
	"SessionType":             "a tunnel is ssh -N; RemoteCommand= is a session beside it",
	"StdinNull":               "nothing is read",
	"SyslogFacility":          "the journal has the log",
	"Tunnel":                  "tun devices are no forwards",
	"TunnelDevice":            "of Tunnel",
	"VersionAddendum":         "a word in the greeting, which nobody reads",
	"VisualHostKey":           "the picture is always in the question",
	"WarnWeakCrypto":          "a warning for people who watch",
	"XAuthLocation":           "of ForwardX11",
}

func TestStandingsHaveReasons(t *testing.T) {
	for _, k := range keywords() {
		if (k.standing == Irrelevant) != (irrelevant[k.name] != "") {
			t.Errorf("%s is %q, and the reason that it does not count is %q", k.name, k.standing, irrelevant[k.name])
		}
	}
	for name := range irrelevant {
		if _, _, known := SSHStanding(name); !known {
			t.Errorf("%s is not in the table", name)
		}
	}
}

// TestInstalledKeywords: what the installed ssh prints of itself is in the table.
func TestInstalledKeywords(t *testing.T) {
	out, err := exec.Command("ssh", "-F", "none", "-G", "h").Output()
	if err != nil {
		t.Skip("no ssh here")
	}
	for line := range strings.Lines(string(out)) {
		keyword, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, _, known := SSHStanding(keyword); !known && keyword != "host" {
			t.Errorf("ssh -G prints %s, which is not in the table", keyword)
		}
	}
}
