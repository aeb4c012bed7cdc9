//go:build bench

package bench

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/testbed"
)

// line is a way between two machines. Where it has a rate, its buffer holds one round trip of it.
type line struct {
	rtt  time.Duration
	rate float64 // bytes a second, each way; 0: as fast as this machine
	loss float64 // the part of the packets that is lost, each way
}

const mbit = 1e6 / 8

func (l line) String() string {
	text := fmt.Sprintf("%d ms", l.rtt.Milliseconds())
	if l.loss > 0 {
		text += fmt.Sprintf(", %g %%", l.loss*100)
	}
	return text
}

// mtu is small on slow lines, so that a loss costs what it does elsewhere.
func (l line) mtu() int {
	if l.rate > 0 || l.loss > 0 {
		return 1500
	}
	return 9000
}

// place is where servers run: another network namespace, or this one.
type place struct {
	netns string // empty: this one
	addr  string
}

var here = place{addr: "127.0.0.1"}

// far makes a namespace at the other end of a line, and removes it with the test.
func far(t *testing.T, l line) place {
	t.Helper()
	testbed.Need(t, "ip", "sysctl")
	p := place{netns: fmt.Sprintf("hf%d", time.Now().UnixNano()%1e9), addr: "10.77.0.2"}
	testbed.Command(t, "ip", "netns", "add", p.netns)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", p.netns).Run() })
	testbed.Command(t, "ip", "-n", p.netns, "link", "set", "lo", "up")
	testbed.Command(t, append([]string{"ip", "netns", "exec", p.netns}, tcpSettings()...)...)
	near, other := p.tun(t, "", "10.77.0.1", p.addr, l), p.tun(t, p.netns, p.addr, "10.77.0.1", l)
	go l.carry(near, other)
	go l.carry(other, near)
	return p
}

// tun makes one end of a line, in a namespace.
func (p place) tun(t *testing.T, netns, addr, peer string, l line) *os.File {
	t.Helper()
	name := "hf" + addr[strings.LastIndexByte(addr, '.')+1:]
	var file *os.File
	err := in(netns, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return fmt.Errorf("TUNSETIFF: %w", err)
		}
		file = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	ip := []string{"ip"}
	if netns != "" {
		ip = append(ip, "-n", netns)
	}
	testbed.Command(t, append(ip, "address", "add", addr, "peer", peer, "dev", name)...)
	testbed.Command(t, append(ip, "link", "set", name, "mtu", fmt.Sprint(l.mtu()), "txqueuelen", "10000", "up")...)
	return file
}

// tcpSettings are those of a usual server, and buffers that no figure depends on.
func tcpSettings() []string {
	return []string{"sysctl", "-q", "-w", "net.ipv4.tcp_congestion_control=cubic",
		"net.ipv4.tcp_rmem=4096 131072 67108864", "net.ipv4.tcp_wmem=4096 131072 67108864"}
}

// packet is one on its way.
type packet struct {
	due  time.Time
	data *[9216]byte
	n    int
}

var packets = sync.Pool{New: func() any { return new([9216]byte) }}

// carry passes packets on, one way, until an end is closed.
func (l line) carry(from, to *os.File) {
	flight := make(chan packet, 1<<15)
	defer close(flight)
	go func() {
		for p := range flight {
			time.Sleep(time.Until(p.due))
			to.Write(p.data[:p.n])
			packets.Put(p.data)
		}
	}()
	var sent time.Time // when the last packet has left
	for {
		p := packet{data: packets.Get().(*[9216]byte)}
		var err error
		if p.n, err = from.Read(p.data[:]); err != nil {
			return
		}
		now := time.Now()
		leaves := now
		if l.rate > 0 {
			if sent.After(now) {
				leaves = sent
			}
			leaves = leaves.Add(time.Duration(float64(p.n) / l.rate * float64(time.Second)))
		}
		if leaves.Sub(now) > l.rtt || rand.Float64() < l.loss {
			packets.Put(p.data)
			continue
		}
		sent, p.due = leaves, leaves.Add(l.rtt/2)
		select {
		case flight <- p:
		default: // as a router does whose memory is full
			packets.Put(p.data)
		}
	}
}

// in runs f in a network namespace.
func in(netns string, f func() error) error {
	if netns == "" {
		return f()
	}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		namespace, err := os.Open("/run/netns/" + netns)
		if err == nil {
			defer namespace.Close()
			if err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err == nil {
				err = f()
			}
		}
		failed <- err
	}()
	return <-failed
}

// listen listens at a place.
func (p place) listen(t *testing.T) net.Listener {
	t.Helper()
	var l net.Listener
	err := in(p.netns, func() (err error) {
		l, err = net.Listen("tcp", p.addr+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// server starts an sshd at a place.
func (p place) server(t *testing.T) *testbed.Server {
	t.Helper()
	return testbed.StartServer(t, testbed.ServerOptions{Netns: p.netns, Addr: p.addr, Config: []string{"MaxStartups 500", "MaxSessions 100"}})
}

// allowCubic lets namespaces use cubic: the machine's own says what they may.
func allowCubic() error {
	const file = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "cubic") {
		return err
	}
	return os.WriteFile(file, []byte(strings.TrimSpace(string(text))+" cubic"), 0)
}
