//go:build testbed

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// mostCommands and mostTime are what a first tunnel may take.
const (
	mostCommands = 3
	mostTime     = time.Minute
)

// TestFirstTunnel: from an autossh unit, from a Host block and from nothing it takes at most three commands and a
// minute until a tunnel carries data.
func TestFirstTunnel(t *testing.T) {
	for name, way := range map[string]func(t *testing.T, d *desk, s *testbed.Server, listen, target string) (commands []string){
		"autossh unit": func(t *testing.T, d *desk, s *testbed.Server, listen, target string) []string {
			d.alias("server", s)
			d.userUnit("autossh-db.service", "[Unit]\nDescription=the database\n[Service]\nEnvironment=AUTOSSH_GATETIME=0\nExecStart=/usr/bin/autossh -M 0 -N -o ServerAliveInterval=10 -L "+listen+":"+target+" server\n[Install]\nWantedBy=default.target\n")
			if _, err := as("systemctl", "--user", "enable", "--now", "autossh-db"); err != nil {
				t.Fatal(err)
			}
			return []string{"holdfast import --yes", "systemctl --user disable --now autossh-db", "holdfast up autossh-db"}
		},
		"Host block": func(t *testing.T, d *desk, s *testbed.Server, listen, target string) []string {
			d.alias("server", s)
			config := filepath.Join(person.Home, ".ssh/config")
			d.writeFile(config, fmt.Sprintf("Host db\n  HostName %s\n  LocalForward %s %s\n  %s\n", s.Host, listen, target, strings.Join(s.SSHSettings(), "\n  ")))
			return []string{"holdfast add db db", "holdfast up db"}
		},
		"nothing": func(t *testing.T, d *desk, s *testbed.Server, listen, target string) []string {
			return []string{fmt.Sprintf("holdfast add db -p %d -i %s -L %s:%s %s@%s", s.Port, s.IdentityFile, listen, target, s.User, s.Host), "holdfast up db"}
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			d := newDesk(t)
			s := testbed.StartServer(t, testbed.ServerOptions{})
			listen := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
			commands := way(t, d, s, listen, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
			start := time.Now()
			for _, c := range commands {
				words := strings.Fields(c)
				if name == "nothing" && words[1] == "up" { // where the server is not known yet
					d.atTerminal(t, words[1:], "yes")
				} else if out, err := as(words...); err != nil {
					t.Fatalf("%s: %v\n%s", c, err, out)
				}
			}
			if err := testbed.EchoThrough(dial(t, listen), 64<<10, mostTime); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			t.Logf("from %s: %d commands, %v", name, len(commands), took.Round(time.Millisecond))
			if len(commands) > mostCommands || took > mostTime {
				t.Errorf("%d commands, %v", len(commands), took)
			}
		})
	}
}
