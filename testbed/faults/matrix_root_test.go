//go:build testbed

package faults

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// scene is what the faults of the matrix break.
type scene struct {
	t          *testing.T
	net        *testbed.Network
	card       *testbed.Card
	server     *testbed.Server
	agent      *testbed.SSHAgent
	known      string // known_hosts
	stopTarget func() // the server that the forwards go to

	contenders []*contender
	meters     map[*contender]map[string]*meter
}

// serverName is resolved by /etc/hosts, so that its resolution can fail.
const serverName = "server.holdfast.test"

func newScene(t *testing.T, compare bool) *scene {
	s := &scene{t: t, net: testbed.NewNetwork(t), meters: make(map[*contender]map[string]*meter)}
	s.card = s.net.AddCard("hf0")
	s.server = testbed.StartServer(t, testbed.ServerOptions{Netns: s.net.Netns, Addr: s.net.Host, Config: []string{"MaxStartups 100"}})
	s.agent = testbed.Agent(t, s.server.Identity)
	s.known = filepath.Join(t.TempDir(), "known_hosts")
	s.trust(s.server.HostKeys[0])
	s.setName(true)
	t.Cleanup(func() { s.setName(false) })

	s.startTarget()
	back := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	w := way{destination: serverName, target: target, back: back, agent: s.agent.Socket, settings: []string{
		"Port=" + strconv.Itoa(s.server.Port), "User=" + s.server.User, "HostKeyAlias=server",
		"UserKnownHostsFile=" + s.known, "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes",
		"IdentityFile=none", "IdentitiesOnly=no",
	}}
	// Faults follow each other faster here than in life: a connection counts as good sooner.
	s.contenders = []*contender{holdfast(t, w, "GateTime=1s")}
	if compare {
		s.contenders = append(s.contenders, autossh(t, w), plainSSH(t, w))
	}
	testbed.Command(t, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", s.contenders[0].runtime)
	t.Cleanup(func() { testbed.Output("umount", "-l", s.contenders[0].runtime) })
	for _, c := range s.contenders {
		c.run(t)
		s.meters[c] = map[string]*meter{
			"local":   newMeter(t, "", c.ports.local),
			"dynamic": newMeter(t, "", c.ports.dynamic, target),
			"remote":  newMeter(t, s.net.Netns, c.ports.remote),
		}
	}
	return s
}

// target is what the forwards go to, on the server's side.
const target = "127.0.0.1:7001"

func (s *scene) startTarget() {
	s.stopTarget = helper(s.t, s.net.Netns, "echo", func(string) {}, target)
}

// moveTo gives this machine another address in place of the one it has. Nobody but
// holdfast is told, since nobody tells the others in life: holdfastd sends SIGUSR1.
func (s *scene) moveTo(address string) {
	testbed.Command(s.t, "nmcli", "connection", "modify", s.card.Name, "ipv4.addresses", address+"/24")
	s.card.Up()
	s.contenders[0].signal(syscall.SIGUSR1)
}

// fillRuntime leaves no room in the runtime directory of holdfast's worker, or makes
// room again.
func (s *scene) fillRuntime(full bool) {
	waste := filepath.Join(s.contenders[0].runtime, "waste")
	if !full {
		os.Remove(waste)
		return
	}
	f, err := os.Create(waste)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

// killWorkers ends every program that keeps a tunnel.
func (s *scene) killWorkers() {
	for _, c := range s.contenders {
		c.signal(syscall.SIGKILL)
	}
}

// trust makes known_hosts name one key for the server.
func (s *scene) trust(key testbed.Key) {
	if err := os.WriteFile(s.known, []byte("server "+key.AuthorizedKey()+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// setName makes the server's name resolve, or not.
func (s *scene) setName(resolves bool) {
	text, err := os.ReadFile("/etc/hosts")
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, serverName) {
			lines = append(lines, line)
		}
	}
	if resolves {
		lines = append(lines, s.net.Host+" "+serverName+"\n")
	}
	if err := os.WriteFile("/etc/hosts", []byte(strings.Join(lines, "")), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// fault is one row of the matrix.
type fault struct {
	name   string
	begin  func(*scene)
	lasts  time.Duration // 0: begin is all of it
	end    func(*scene)
	person bool // a person's matter: connections may be reset, and refused by none of ours
	quick  bool // part of make test
	orphan bool // the server keeps the old session, and with it the remote port
}

func killSessions(s *scene) { s.server.KillSessions(syscall.SIGKILL) }

var faults = []fault{
	{name: "session killed", begin: killSessions, quick: true},
	{name: "sshd stopped, 1 s", begin: func(s *scene) { s.server.Stop() }, lasts: time.Second, end: func(s *scene) { s.server.Start() }, quick: true},
	{name: "sshd stopped, 20 s", begin: func(s *scene) { s.server.Stop() }, lasts: 20 * time.Second, end: func(s *scene) { s.server.Start() }},
	{name: "sshd stopped, 90 s", begin: func(s *scene) { s.server.Stop() }, lasts: 90 * time.Second, end: func(s *scene) { s.server.Start() }},
	{name: "server rebooted", begin: func(s *scene) { s.server.Kill(); s.server.Start() }},
	{name: "black hole, 5 s", begin: func(s *scene) { s.net.Silence() }, lasts: 5 * time.Second, end: func(s *scene) { s.net.Speak() }, quick: true},
	{name: "black hole, 25 s", begin: func(s *scene) { s.net.Silence() }, lasts: 25 * time.Second, end: func(s *scene) { s.net.Speak() }},
	{name: "black hole, 60 s", begin: func(s *scene) { s.net.Silence() }, lasts: time.Minute, end: func(s *scene) { s.net.Speak() }},
	{name: "session stopped, 45 s", begin: func(s *scene) { s.server.KillSessions(syscall.SIGSTOP) }, lasts: 45 * time.Second, end: func(s *scene) { s.server.KillSessions(syscall.SIGCONT) }},
	{name: "cable out, 8 s", begin: func(s *scene) { s.card.Unplug() }, lasts: 8 * time.Second, end: func(s *scene) { s.card.Plug(); s.card.Up() }, quick: true},
	{name: "name does not resolve, 20 s", begin: func(s *scene) { s.setName(false); killSessions(s) }, lasts: 20 * time.Second, end: func(s *scene) { s.setName(true) }},
	{name: "agent without the key, 20 s", begin: func(s *scene) { s.agent.RemoveAll(); killSessions(s) }, lasts: 20 * time.Second, end: func(s *scene) { s.agent.Add(s.server.Identity) }, person: true},
	{name: "host key changed, 20 s", begin: func(s *scene) { s.trust(s.server.Identity); killSessions(s) }, lasts: 20 * time.Second, end: func(s *scene) { s.trust(s.server.HostKeys[0]) }, person: true},
	{name: "forward target down, 5 s", begin: func(s *scene) { s.stopTarget() }, lasts: 5 * time.Second, end: (*scene).startTarget, quick: true},
	{name: "address changed", begin: func(s *scene) { s.moveTo("198.51.100.77") }, orphan: true},
	{name: "runtime folder full", begin: func(s *scene) { s.fillRuntime(true); killSessions(s) }, lasts: 3 * time.Second, end: func(s *scene) { s.fillRuntime(false) }, quick: true},
	{name: "worker killed", begin: (*scene).killWorkers, quick: true},
	// The server hears nothing of the death, so its old session holds the remote port.
	{name: "worker killed in a black hole, 8 s", begin: func(s *scene) { s.net.Silence(); s.killWorkers() }, lasts: 8 * time.Second, end: func(s *scene) { s.net.Speak() }},
}

// settle is how long all forwards must be well before a fault.
const settle = 2 * time.Second

// orphanFor is how long is looked at what becomes of a tunnel whose remote port is held.
const orphanFor = time.Minute

// recovery bounds the wait for a contender to be usable again.
const recovery = 150 * time.Second

// play injects one fault and returns a row for each contender and kind of forward.
func (s *scene) play(t *testing.T, f fault) (rows [][]string) {
	s.untilWell(t, f)
	begun := time.Now()
	f.begin(s)
	// One that lasts no time is over here: a server that is rebooted accepts again. Only
	// connections made from now on tell how it was taken.
	ended := time.Now()
	from := ended
	if f.lasts > 0 {
		from = begun
		timer := time.NewTimer(f.lasts)
		<-timer.C
		ended = time.Now()
		f.end(s)
	}
	kinds := []string{"local", "dynamic", "remote"}
	if f.orphan {
		// Whoever insists on the port has none of the others either: look for a while, then help.
		timer := time.NewTimer(orphanFor)
		<-timer.C
		defer killSessions(s)
	}
	testbed.WaitFor(t, recovery, func() error {
		for _, c := range s.contenders {
			for _, kind := range kinds {
				if m := s.meters[c][kind]; m.usable(from, ended) < 0 && (!f.orphan || c.name == "holdfast" && kind != "remote") {
					return fmt.Errorf("%s: %s, %s is not usable again: %s", f.name, c.name, kind, m.tail())
				}
			}
		}
		return nil
	})
	for _, c := range s.contenders {
		for _, kind := range kinds {
			m := s.meters[c][kind]
			usable := m.usable(from, ended)
			rows = append(rows, []string{f.name, c.name, kind, seconds(c.detected(begun)), seconds(usable),
				fmt.Sprint(m.count(refused, begun)), fmt.Sprint(m.count(reset, begun) + m.count(late, begun)), fmt.Sprint(m.count(wrong, begun))})
			if c.name != "holdfast" {
				continue
			}
			if n := m.count(wrong, begun); n > 0 {
				t.Errorf("%s: %s: %d wrong", f.name, kind, n)
			}
			if n := m.count(refused, begun); n > 0 && kind != "remote" {
				t.Errorf("%s: %s: %d connections refused", f.name, kind, n)
			}
			if other := s.autossh(kind, from, ended); other >= 0 && usable > other+probeEvery {
				t.Errorf("%s: %s usable after %v, with autossh after %v", f.name, kind, usable, other)
			}
		}
	}
	return rows
}

// autossh is how long after ended a forward of autossh was usable in this run; negative: it was
// not, or nobody looks. Times are compared with it, and with no constant: on a busy machine all
// are late.
func (s *scene) autossh(kind string, from, ended time.Time) time.Duration {
	for _, c := range s.contenders {
		if c.name == "autossh" {
			return s.meters[c][kind].usable(from, ended)
		}
	}
	return -1
}

// untilWell waits until every forward of every contender has worked for a while.
func (s *scene) untilWell(t *testing.T, f fault) {
	testbed.WaitFor(t, recovery, func() error {
		since := time.Now().Add(-settle)
		for _, c := range s.contenders {
			for kind, m := range s.meters[c] {
				if m.count(good, since) < int(settle/probeEvery)*7/10 {
					return fmt.Errorf("before %s: %s, %s is not well: %s", f.name, c.name, kind, m.tail())
				}
			}
		}
		return nil
	})
}

func (s *scene) print(rows [][]string) {
	head := []string{"fault", "tunnel by", "forward", "detected s", "usable s", "refused", "reset", "wrong"}
	fmt.Printf("\n%s\n", table(append([][]string{head}, rows...)))
}

// TestMatrix plays the shorter faults.
func TestMatrix(t *testing.T) {
	s := newScene(t, false)
	var rows [][]string
	for _, f := range faults {
		if f.quick {
			t.Run(f.name, func(t *testing.T) { rows = append(rows, s.play(t, f)...) })
		}
	}
	s.print(rows)
}

// TestCompare plays all faults, with autossh and ssh beside. It takes about 20
// minutes, and runs only when it is asked for by name.
func TestCompare(t *testing.T) {
	asked, _, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	if strings.Trim(asked, "^$()") != t.Name() {
		t.Skip("takes 20 minutes: make compare")
	}
	s := newScene(t, true)
	var rows [][]string
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			played := s.play(t, f)
			s.print(played) // 20 minutes are long
			rows = append(rows, played...)
		})
	}
	s.print(rows)
}
