package faults

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	soakWriters = 8
	soakEvery   = 5 * time.Second // from one fault to the next
	soakPace    = 5 * time.Millisecond
	soakLines   = 2000 // numbers a connection sends before it is closed well
)

// TestSoak injects a random fault each few seconds while writers number what they send
// and compare what comes back. HOLDFAST_SOAK is how long (1m), HOLDFAST_SEED which faults.
func TestSoak(t *testing.T) {
	length, seed := time.Minute, uint64(time.Now().UnixNano())
	if v := os.Getenv("HOLDFAST_SOAK"); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	if v := os.Getenv("HOLDFAST_SEED"); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))

	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"MaxStartups 100"}})
	proxy := testbed.NewProxy(t, s.Addr)
	_, port, _ := net.SplitHostPort(proxy.Addr)
	settings := []string{"HostKeyAlias=[" + s.Host + "]:" + itoa(s.Port), "Port=" + port}
	for _, line := range s.SSHSettings() {
		if !strings.HasPrefix(line, "Port=") {
			settings = append(settings, line)
		}
	}
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	c := holdfast(t, way{destination: s.Host, settings: settings, target: echo, back: echo}, "GateTime=2s")
	c.run(t)
	testbed.WaitFor(t, time.Minute, func() error { return exchange(c.ports.remote, nil) })

	w := &writers{t: t}
	dials := []func() (net.Conn, error){
		func() (net.Conn, error) { return net.DialTimeout("tcp", c.ports.local, time.Minute) },
		func() (net.Conn, error) { return testbed.DialSOCKS("tcp", c.ports.dynamic, echo) },
		func() (net.Conn, error) { return net.DialTimeout("tcp", c.ports.remote, time.Minute) },
	}
	w.start(dials)
	warm := time.NewTimer(soakEvery)
	<-warm.C
	w.stop()
	before := c.weigh(t)

	w.start(dials)
	var injected []string
	next := time.NewTicker(soakEvery)
	defer next.Stop()
	for end := time.Now().Add(length); time.Now().Before(end); <-next.C {
		f := soakFaults[random.IntN(len(soakFaults))]
		injected = append(injected, f.name)
		f.inject(s, proxy, c, random)
	}
	w.stop()
	testbed.WaitFor(t, time.Minute, func() error { return exchange(c.ports.remote, nil) })
	after := c.weigh(t)

	fmt.Printf("soak of %v, seed %d: %d faults, %d connections ended well, %d were cut, %d refused (%d of the remote port), %.1f MiB came back, %d wrong\n",
		length, seed, len(injected), w.whole.Load(), w.cut.Load(), w.refusedHere.Load()+w.refusedThere.Load(), w.refusedThere.Load(),
		float64(w.bytes.Load())/(1<<20), w.wrong.Load())
	fmt.Printf("before %v, after %v\n", before, after)
	if w.wrong.Load() > 0 || w.refusedHere.Load() > 0 {
		t.Errorf("%d wrong, %d refused here; faults: %s", w.wrong.Load(), w.refusedHere.Load(), strings.Join(injected, ", "))
	}
	if w.whole.Load() == 0 {
		t.Error("no connection ended well")
	}
	if after.fds > before.fds+3 {
		t.Errorf("file descriptors: %d, then %d", before.fds, after.fds)
	}
	if after.goroutines > before.goroutines+8 {
		t.Errorf("goroutines: %d, then %d", before.goroutines, after.goroutines)
	}
	if after.rss > 2*before.rss+32<<20 {
		t.Errorf("memory: %d MiB, then %d", before.rss>>20, after.rss>>20)
	}
}

// soakFaults are what may happen. Each leaves things so that the tunnel can recover.
var soakFaults = []struct {
	name   string
	inject func(*testbed.Server, *testbed.Proxy, *contender, *rand.Rand)
}{
	{"session killed", func(s *testbed.Server, _ *testbed.Proxy, _ *contender, _ *rand.Rand) { s.KillSessions(syscall.SIGKILL) }},
	{"server restarted", func(s *testbed.Server, _ *testbed.Proxy, _ *contender, r *rand.Rand) {
		s.Stop()
		pause(r, 2*time.Second)
		s.Start()
	}},
	{"silence", func(_ *testbed.Server, p *testbed.Proxy, _ *contender, r *rand.Rand) {
		p.SetSilent(true)
		pause(r, 4*time.Second)
		p.SetSilent(false)
	}},
	{"reset", func(_ *testbed.Server, p *testbed.Proxy, _ *contender, _ *rand.Rand) { p.Reset() }},
	{"silence, then reset", func(_ *testbed.Server, p *testbed.Proxy, _ *contender, r *rand.Rand) {
		p.SetSilent(true)
		pause(r, 4*time.Second)
		p.Reset()
		p.SetSilent(false)
	}},
	{"refusal", func(_ *testbed.Server, p *testbed.Proxy, _ *contender, r *rand.Rand) {
		p.SetRefusing(true)
		p.Reset()
		pause(r, 2*time.Second)
		p.SetRefusing(false)
	}},
	{"session stopped", func(s *testbed.Server, _ *testbed.Proxy, _ *contender, r *rand.Rand) {
		s.KillSessions(syscall.SIGSTOP)
		pause(r, 4*time.Second)
		s.KillSessions(syscall.SIGCONT)
	}},
	{"slow line", func(_ *testbed.Server, p *testbed.Proxy, _ *contender, r *rand.Rand) {
		p.SetDelay(100 * time.Millisecond)
		pause(r, 4*time.Second)
		p.SetDelay(0)
	}},
	{"network changed", func(_ *testbed.Server, _ *testbed.Proxy, c *contender, _ *rand.Rand) { c.signal(syscall.SIGUSR1) }},
	{"network gone and back", func(_ *testbed.Server, _ *testbed.Proxy, c *contender, r *rand.Rand) {
		c.signal(syscall.SIGUSR2)
		pause(r, time.Second)
		c.signal(syscall.SIGUSR1)
	}},
	{"new connection asked for", func(_ *testbed.Server, _ *testbed.Proxy, c *contender, _ *rand.Rand) { c.signal(syscall.Signal(35)) }},
	{"file read again", func(_ *testbed.Server, _ *testbed.Proxy, c *contender, _ *rand.Rand) { c.signal(syscall.SIGHUP) }},
}

// pause lasts up to most: how long a fault is.
func pause(r *rand.Rand, most time.Duration) {
	timer := time.NewTimer(time.Duration(r.Int64N(int64(most))))
	<-timer.C
}

// writers are clients that number what they send.
type writers struct {
	t       *testing.T
	stopped chan struct{}
	running sync.WaitGroup

	whole, cut, refusedHere, refusedThere, wrong, bytes atomic.Int64
}

func (w *writers) start(dials []func() (net.Conn, error)) {
	w.stopped = make(chan struct{})
	for i := range soakWriters {
		kind := i % len(dials)
		w.running.Go(func() {
			for {
				select {
				case <-w.stopped:
					return
				default:
				}
				w.connection(dials[kind], kind == 2)
			}
		})
	}
}

// stop lets the connections under way end.
func (w *writers) stop() {
	close(w.stopped)
	w.running.Wait()
}

// connection sends numbers through one connection and compares what comes back. It may
// be cut by a fault, but up to there every number must be the next.
func (w *writers) connection(dial func() (net.Conn, error), there bool) {
	conn, err := dial()
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) {
			w.cut.Add(1)
		} else if there {
			w.refusedThere.Add(1)
			timer := time.NewTimer(50 * time.Millisecond) // the server is there, its port is not yet
			<-timer.C
		} else {
			w.refusedHere.Add(1)
		}
		return
	}
	defer conn.Close()
	err = numbers(conn, soakLines, &w.bytes)
	switch {
	case err == nil:
		w.whole.Add(1)
	case errors.Is(err, errWrong):
		w.wrong.Add(1)
		w.t.Error(err)
	default:
		w.cut.Add(1)
	}
}

// errWrong is what must never be.
var errWrong = errors.New("wrong bytes")

// exchange makes one short connection that must end well.
func exchange(addr string, bytes *atomic.Int64) error {
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return err
	}
	defer conn.Close()
	if bytes == nil {
		bytes = new(atomic.Int64)
	}
	return numbers(conn, 10, bytes)
}

// numbers sends 0, 1, 2 … n-1, 8 bytes each, in uneven pieces, and wants the same back.
func numbers(conn net.Conn, n int, bytes *atomic.Int64) error {
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	wrote := make(chan error, 1)
	go func() {
		out := bufio.NewWriterSize(conn, 1000)
		pace := time.NewTicker(soakPace)
		defer pace.Stop()
		for i := range n {
			if out.Available() < 8 {
				<-pace.C
			}
			if _, err := out.Write(binary.BigEndian.AppendUint64(nil, uint64(i))); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- errors.Join(out.Flush(), conn.(interface{ CloseWrite() error }).CloseWrite())
	}()
	in, word := bufio.NewReader(conn), make([]byte, 8)
	for i := range n {
		if _, err := io.ReadFull(in, word); err != nil {
			conn.Close()
			<-wrote
			return err
		}
		if got := binary.BigEndian.Uint64(word); got != uint64(i) {
			conn.Close()
			<-wrote
			return fmt.Errorf("%w: number %d came where %d was next", errWrong, got, i)
		}
		bytes.Add(8)
	}
	if _, err := in.ReadByte(); err == nil {
		return fmt.Errorf("%w: more came back than was sent", errWrong)
	}
	return <-wrote
}

// weight is what a process holds.
type weight struct {
	fds, goroutines int
	rss             int64 // bytes
}

func (w weight) String() string {
	return fmt.Sprintf("%d fds, %d goroutines, %.1f MiB", w.fds, w.goroutines, float64(w.rss)/(1<<20))
}

// weigh waits until the worker is up and idle, and looks at what it holds.
func (c *contender) weigh(t *testing.T) (w weight) {
	t.Helper()
	c.mu.Lock()
	pid := c.cmd.Process.Pid
	c.mu.Unlock()
	var text string
	testbed.WaitFor(t, time.Minute, func() error {
		r, err := askReport(c.socket)
		if err != nil {
			return err
		}
		if r.State != tunnelfile.Up || r.ChannelsOpen > 0 || r.Held > 0 {
			return fmt.Errorf("%s: %s, %d channels open", r.State, r.Status, r.ChannelsOpen)
		}
		_, text, err = testbed.GetUnix(c.socket, "/metrics")
		return err
	})
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			w.goroutines, _ = strconv.Atoi(strings.TrimSpace(v))
		}
	}
	entries, err := os.ReadDir(filepath.Join("/proc", itoa(pid), "fd"))
	if err != nil {
		t.Fatal(err)
	}
	w.fds = len(entries)
	status, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			w.rss = kb << 10
		}
	}
	return w
}

func itoa(n int) string { return strconv.Itoa(n) }
