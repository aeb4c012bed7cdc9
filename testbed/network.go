package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// NeedBox skips the test unless it runs in a box: the test changes networks, sessions or services,
// which belong to somebody outside a box.
func NeedBox(t testing.TB) {
	t.Helper()
	if os.Getenv("HOLDFAST_BOX") == "" {
		t.Skip("runs in a box only: testbed/run-tests")
	}
}

// NeedRootBox is NeedBox for tests that need root in it.
func NeedRootBox(t testing.TB) {
	t.Helper()
	NeedBox(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root in the box: belongs into a file called *_root_test.go")
	}
}

// Network is another host, in a network namespace of its own, that this one
// reaches through one or more cards. NetworkManager runs the cards on this side.
type Network struct {
	Netns string // for ServerOptions.Netns
	Host  string // the other host's address, the same whichever card leads there: for ServerOptions.Addr

	t     testing.TB
	cards int
}

// Card is one veth pair: an interface here, with a NetworkManager connection of
// the same name, and its other end in the network's namespace.
type Card struct {
	Name    string // of the interface and of the connection, its id
	Address string // this side's address
	Gateway string // the other side's address on this card

	network *Network
	peer    string
}

// NewNetwork makes the other host, and removes it with the test. It needs root in a box.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	NeedRootBox(t)
	Need(t, "ip", "nmcli", "nft")
	n := &Network{t: t, Netns: fmt.Sprintf("hf%d", time.Now().UnixNano()%1e6), Host: "192.0.2.1"}
	Command(t, "ip", "netns", "add", n.Netns)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", n.Netns).Run() })
	Command(t, "ip", "-n", n.Netns, "link", "set", "lo", "up")
	Command(t, "ip", "-n", n.Netns, "address", "add", n.Host+"/32", "dev", "lo")
	return n
}

// AddCard adds a card and brings it up. A card that was added earlier has the better default route.
func (n *Network) AddCard(name string) *Card {
	t := n.t
	t.Helper()
	n.cards++
	prefix := fmt.Sprintf("198.51.%d.", 99+n.cards)
	c := &Card{Name: name, Address: prefix + "1", Gateway: prefix + "2", network: n, peer: name + "p"}
	Command(t, "ip", "link", "add", name, "type", "veth", "peer", "name", c.peer, "netns", n.Netns)
	t.Cleanup(func() {
		exec.Command("nmcli", "connection", "delete", name).Run()
		exec.Command("ip", "link", "del", name).Run()
	})
	Command(t, "ip", "-n", n.Netns, "address", "add", c.Gateway+"/24", "dev", c.peer)
	Command(t, "ip", "-n", n.Netns, "link", "set", c.peer, "up")
	WaitFor(t, 10*time.Second, func() error {
		_, err := Output("nmcli", "device", "show", name)
		return err
	})
	Command(t, "nmcli", "connection", "add", "type", "ethernet", "ifname", name, "con-name", name, "autoconnect", "yes",
		"ipv4.method", "manual", "ipv4.addresses", c.Address+"/24", "ipv4.gateway", c.Gateway,
		"ipv4.route-metric", strconv.Itoa(100*n.cards), "ipv6.method", "disabled")
	c.Up()
	return c
}

// Up activates the card's connection, as a click in the network menu does.
func (c *Card) Up() {
	c.network.t.Helper()
	Command(c.network.t, "nmcli", "--wait", "20", "connection", "up", c.Name)
}

// Down deactivates the card's connection.
func (c *Card) Down() {
	c.network.t.Helper()
	Command(c.network.t, "nmcli", "--wait", "20", "connection", "down", c.Name)
}

// Unplug pulls the cable: this side loses its carrier.
func (c *Card) Unplug() { c.peerLink("down") }

// Plug puts the cable back.
func (c *Card) Plug() { c.peerLink("up") }

func (c *Card) peerLink(state string) {
	c.network.t.Helper()
	Command(c.network.t, "ip", "-n", c.network.Netns, "link", "set", c.peer, state)
}

// Silence drops every packet at the other host, both ways and without an answer; Speak ends it.
func (n *Network) Silence() {
	n.t.Helper()
	n.nft("add table inet silence; " +
		"add chain inet silence in { type filter hook input priority 0; policy drop; }; " +
		"add chain inet silence out { type filter hook output priority 0; policy drop; }")
}

// Speak ends a Silence.
func (n *Network) Speak() {
	n.t.Helper()
	n.nft("delete table inet silence")
}

func (n *Network) nft(rules string) {
	n.t.Helper()
	Command(n.t, "ip", "netns", "exec", n.Netns, "nft", rules)
}

// Command runs a program to its end and returns what it printed. The test fails if the program
// does.
func Command(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := Output(argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Echo starts an echo server on the other host, see [Echo], and returns its address.
func (n *Network) Echo() string { return n.EchoOn(0) }

// EchoOn is Echo on this port.
func (n *Network) EchoOn(port int) string {
	n.t.Helper()
	l := n.Listen(port)
	serve(n.t, l, func(conn net.Conn) { io.Copy(conn, conn) })
	return l.Addr().String()
}

// Listen opens a TCP listener on the other host, and closes it with the test. Port 0 is any.
func (n *Network) Listen(port int) (l net.Listener) {
	n.t.Helper()
	n.there(func() (err error) {
		l, err = net.Listen("tcp", net.JoinHostPort(n.Host, strconv.Itoa(port)))
		return err
	})
	n.t.Cleanup(func() { l.Close() })
	return l
}

// there calls f in the other host's namespace. A socket that f makes stays in that namespace.
func (n *Network) there(f func() error) {
	n.t.Helper()
	done := make(chan error)
	go func() {
		// From here on, this thread belongs to the other namespace. It is never unlocked, so it
		// ends with the goroutine.
		runtime.LockOSThread()
		done <- func() error {
			namespace, err := os.Open("/run/netns/" + n.Netns)
			if err != nil {
				return err
			}
			defer namespace.Close()
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return f()
		}()
	}()
	if err := <-done; err != nil {
		n.t.Fatal(err)
	}
}

// commandTime is how long any one command of a test may take.
const commandTime = 2 * time.Minute

// Output runs a program to its end and returns what it printed. The error has that text too.
func Output(argv ...string) (string, error) {
	path := lookPath(argv[0])
	if path == "" {
		return "", fmt.Errorf("%s is not installed", argv[0])
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, argv[1:]...).CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("still ran after %v", commandTime)
	}
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}

// Tester is the box's user.
type Tester struct {
	Home, RuntimeDir string
	UID, GID         int
}

// LookupTester finds the box's user.
func LookupTester() (Tester, error) {
	account, err := user.Lookup("tester")
	if err != nil {
		return Tester{}, err
	}
	uid, uidErr := strconv.Atoi(account.Uid)
	gid, gidErr := strconv.Atoi(account.Gid)
	return Tester{account.HomeDir, "/run/user/" + account.Uid, uid, gid}, errors.Join(uidErr, gidErr)
}

// Argv returns the command line that runs a command as that user, with the user's session bus, user
// manager and programs in ~/.local/bin. If the test runs as that user, it returns the command
// itself.
func (u Tester) Argv(argv ...string) []string {
	if os.Geteuid() == u.UID {
		return argv
	}
	return append([]string{
		"setpriv", "--reuid=tester", "--regid=tester", "--init-groups", "env",
		"HOME=" + u.Home, "USER=tester", "LOGNAME=tester", "PATH=" + u.Home + "/.local/bin:" + os.Getenv("PATH"),
		"XDG_RUNTIME_DIR=" + u.RuntimeDir, "DBUS_SESSION_BUS_ADDRESS=unix:path=" + u.RuntimeDir + "/bus",
	}, argv...)
}

// AsTester returns a command that runs as the box's user, see [Tester.Argv].
func AsTester(t testing.TB, argv ...string) *exec.Cmd {
	t.Helper()
	NeedBox(t)
	u, err := LookupTester()
	if err != nil {
		t.Fatal(err)
	}
	argv = u.Argv(argv...)
	return exec.Command(argv[0], argv[1:]...)
}
