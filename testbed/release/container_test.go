//go:build packages

package release

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// imageUser is whom the image runs as.
const imageUser = 65532

// podman runs podman with the settings that hold on this kind of machine.
func podman(t testing.TB, args ...string) string {
	t.Helper()
	out, err := podmanCommand(args...).Output()
	if err != nil {
		var said []byte
		if e, ok := err.(*exec.ExitError); ok {
			said = e.Stderr
		}
		t.Fatalf("podman %s: %v\n%s%s", strings.Join(args, " "), err, out, said)
	}
	return strings.TrimSpace(string(out))
}

func podmanCommand(args ...string) *exec.Cmd {
	cmd := exec.Command("podman", args...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+abs("../containers.conf"))
	return cmd
}

// needPodman leaves the test out where podman cannot do what a cluster does, such as files of root's for a group.
func needPodman(t testing.TB) {
	t.Helper()
	testbed.Need(t, "podman", "runc")
	if os.Getuid() != 0 {
		testbed.NotHere(t, "containers as a cluster runs them need root")
	}
}

// abs is a path of the checkout, from this folder.
func abs(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return path
}

// image builds the image for this machine, once, and returns its name.
var image = sync.OnceValues(func() (string, error) {
	output, err := os.MkdirTemp("", "holdfast-image")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(output)
	cmd := exec.Command("../../packaging/container/build", output)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+abs("../containers.conf"), "ARCHS=amd64")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("packaging/container/build: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// volumes are what a cluster mounts: a ConfigMap with the tunnel file, and a Secret with
// the key and the server's host keys, which root owns and the container's group may read.
type volumes struct {
	testing.TB
	config, secret string
	version        int
}

func newVolumes(t testing.TB, server *testbed.Server) *volumes {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	v := &volumes{TB: t, config: filepath.Join(dir, "config"), secret: filepath.Join(dir, "secret")}
	for _, folder := range []string{v.config, v.secret} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range map[string]string{"id": server.IdentityFile, "known_hosts": server.KnownHosts} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(v.secret, name)
		if err := os.WriteFile(path, content, 0o440); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, 0, imageUser); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// write puts a tunnel file into the ConfigMap as a kubelet does: into a new folder, to which
// the link "..data" is then turned in one step. The file itself is a link through "..data".
func (v *volumes) write(server *testbed.Server, lines ...string) {
	v.Helper()
	v.version++
	folder := fmt.Sprintf("..version_%d", v.version)
	text := fmt.Sprintf("[Tunnel]\nDestination=%s\n%s\n[SSH]\nIdentityFile=/etc/holdfast/ssh/id\nUserKnownHostsFile=/etc/holdfast/ssh/known_hosts\nStrictHostKeyChecking=yes\n",
		server.Destination(), strings.Join(lines, "\n"))
	must := func(err error) {
		v.Helper()
		if err != nil && !os.IsExist(err) {
			v.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(v.config, folder), 0o755))
	must(os.WriteFile(filepath.Join(v.config, folder, "tunnel.tunnel"), []byte(text), 0o644))
	must(os.Symlink(folder, filepath.Join(v.config, "..data_tmp")))
	must(os.Rename(filepath.Join(v.config, "..data_tmp"), filepath.Join(v.config, "..data")))
	must(os.Symlink("..data/tunnel.tunnel", filepath.Join(v.config, "tunnel.tunnel")))
}

// container is one of the image that runs with this machine's network and nothing else of it.
type container struct {
	testing.TB
	name   string
	probes string // host:port
}

func (v *volumes) run(name string) *container {
	v.Helper()
	built, err := image()
	if err != nil {
		v.Fatal(err)
	}
	c := &container{TB: v.TB, name: fmt.Sprintf("holdfast-test-%d-%s", os.Getpid(), name), probes: fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(v))}
	podman(v, "run", "-d", "--name", c.name, "--network=host", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges",
		"-v", v.config+":/etc/holdfast/tunnel:ro", "-v", v.secret+":/etc/holdfast/ssh:ro",
		built, "--listen", c.probes, "/etc/holdfast/tunnel/tunnel.tunnel")
	v.Cleanup(func() {
		if v.Failed() {
			v.Logf("logs of %s:\n%s", name, c.logs())
		}
		podmanCommand("rm", "-f", "-t", "0", c.name).Run()
	})
	return c
}

func (c *container) logs() string {
	out, err := podmanCommand("logs", c.name).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// probe asks a probe, and returns its status; 0: nobody answers.
func (c *container) probe(path string) int {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get("http://" + c.probes + path)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func (c *container) await(path string, status int) {
	c.Helper()
	testbed.WaitFor(c, 30*time.Second, func() error {
		if got := c.probe(path); got != status {
			return fmt.Errorf("%s answers %d, want %d", path, got, status)
		}
		return nil
	})
}

// ended waits until the container has ended, and returns its exit status.
func (c *container) ended() int {
	c.Helper()
	out := podman(c, "wait", c.name)
	status, err := strconv.Atoi(out)
	if err != nil {
		c.Fatal(err)
	}
	return status
}

func echoPort(t testing.TB) string {
	_, port, err := net.SplitHostPort(testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func dial(t testing.TB, port int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestContainer is a day of a container: it carries, says how it is, takes a changed file, and drains.
func TestContainer(t *testing.T) {
	needPodman(t)
	server := testbed.StartServer(t, testbed.ServerOptions{})
	v := newVolumes(t, server)
	port, other, echo := testbed.FreePort(t), testbed.FreePort(t), echoPort(t)
	forward := fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:%s", port, echo)
	v.write(server, forward, "RetryMax=1s")
	c := v.run("day")

	c.await("/readyz", http.StatusOK)
	testbed.CheckEcho(t, dial(t, port), 1<<20, 30*time.Second)
	inspected := strings.Fields(podman(t, "inspect", "-f", "{{.State.Pid}} {{.Image}}", c.name))
	status, err := os.ReadFile("/proc/" + inspected[0] + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Uid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !slices.Contains(strings.Split(string(status), "\n"), line) {
			t.Errorf("the process does not say %q:\n%s", line, status)
		}
	}

	// The link is lost: alive, but not ready; whoever connects waits and is served.
	server.Stop()
	c.await("/readyz", http.StatusServiceUnavailable)
	if got := c.probe("/livez"); got != http.StatusOK {
		t.Errorf("/livez answers %d while the server is away", got)
	}
	pending := dial(t, port)
	server.Start()
	testbed.CheckEcho(t, pending, 1<<16, 30*time.Second)
	c.await("/readyz", http.StatusOK)

	// The ConfigMap changes: nobody sends a signal. What is open stays open.
	open := dial(t, port)
	v.write(server, forward, fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:%s", other, echo), "RetryMax=1s")
	testbed.WaitFor(t, 30*time.Second, func() error {
		return testbed.EchoAt(fmt.Sprintf("127.0.0.1:%d", other), 1000, 10*time.Second)
	})

	// It drains: what is open may end, what is new is refused, and the end is a good one.
	if _, err := open.Write([]byte("before ")); err != nil {
		t.Fatal(err)
	}
	podman(t, "kill", "-s", "TERM", c.name)
	testbed.WaitFor(t, 20*time.Second, func() error { return testbed.NotListening("tcp", fmt.Sprintf("127.0.0.1:%d", port)) })
	io.WriteString(open, "and after")
	open.(*net.TCPConn).CloseWrite()
	if came, err := io.ReadAll(open); err != nil || string(came) != "before and after" {
		t.Errorf("through the drain came %q (%v)", came, err)
	}
	if status := c.ended(); status != 0 {
		t.Errorf("exit status %d after SIGTERM", status)
	}
	for line := range strings.Lines(c.logs()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a log line that is none: %q", line)
		}
	}
}

// TestContainerGrace: of streams that do not end by themselves, SIGTERM waits for none longer than TimeoutStopSec=,
// so that the container ends well within the time that it is given.
func TestContainerGrace(t *testing.T) {
	needPodman(t)
	server := testbed.StartServer(t, testbed.ServerOptions{})
	v := newVolumes(t, server)
	port := testbed.FreePort(t)
	v.write(server, fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:%s", port, echoPort(t)), "[Service]", "TimeoutStopSec=2s")
	c := v.run("grace")
	c.await("/readyz", http.StatusOK)
	const n = 10
	var open [n]net.Conn
	for i := range open {
		open[i] = dial(t, port)
		io.WriteString(open[i], "x")
		if _, err := io.ReadFull(open[i], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	podman(t, "stop", "-t", "30", c.name) // then it would be killed, which is status 137
	if status := c.ended(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, conn := range open {
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a stream goes on: %v", err)
		}
	}
	t.Logf("%d streams that do not end: cut after TimeoutStopSec=2s, exit status 0", n)
}

// TestContainerExitStatus: what only a person can mend ends the container, with the status that says what.
func TestContainerExitStatus(t *testing.T) {
	needPodman(t)
	server := testbed.StartServer(t, testbed.ServerOptions{})
	forward := fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:1", testbed.FreePort(t))
	for name, test := range map[string]struct {
		spoil  func(*volumes)
		status int
	}{
		"settings": {func(v *volumes) { v.write(server, "Strat=auto") }, 78},
		"denied": {func(v *volumes) {
			v.write(server, forward)
			testbed.NewKey(t, filepath.Join(v.secret, "id"), "ed25519", "")
			os.Chown(filepath.Join(v.secret, "id"), 0, imageUser)
			os.Chmod(filepath.Join(v.secret, "id"), 0o440)
		}, 77},
		"hostkey": {func(v *volumes) {
			v.write(server, forward)
			os.WriteFile(filepath.Join(v.secret, "known_hosts"), nil, 0o440)
		}, 76},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVolumes(t, server)
			test.spoil(v)
			c := v.run(name)
			if status := c.ended(); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
		})
	}
}

// replica is one of several containers behind one address, each with a server and a port of its own.
type replica struct {
	*container
	server *testbed.Server
	port   int
}

// service is that address: connections go in turn to those that say that they are ready.
type service struct {
	testing.TB
	echo     string
	started  int
	mu       sync.Mutex
	replicas []*replica
	turn     int
}

// add starts a replica, and lets it take part once it is ready.
func (s *service) add() *replica {
	s.Helper()
	r := &replica{server: testbed.StartServer(s, testbed.ServerOptions{}), port: testbed.FreePort(s)}
	v := newVolumes(s, r.server)
	v.write(r.server, fmt.Sprintf("LocalForward=127.0.0.1:%d 127.0.0.1:%s", r.port, s.echo), "RetryMax=1s")
	s.started++
	r.container = v.run(fmt.Sprint("replica", s.started))
	r.await("/readyz", http.StatusOK)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replicas = append(s.replicas, r)
	return r
}

// leave ends a replica as a cluster does: nobody is sent to it any more, then it is asked to end.
// Whoever talks through it has the time to come to an end.
func (s *service) leave(r *replica) {
	s.Helper()
	s.mu.Lock()
	s.replicas = slices.DeleteFunc(s.replicas, func(other *replica) bool { return other == r })
	s.mu.Unlock()
	// Where a cluster waits (preStop), this is known: when the bytes of this one are back, those
	// that came before have been accepted too.
	open := dial(s, r.port)
	io.WriteString(open, "before ")
	if _, err := io.ReadFull(open, make([]byte, len("before "))); err != nil {
		s.Fatal(err)
	}
	podman(s, "kill", "-s", "TERM", r.name)
	if err := testbed.EchoThrough(open, 100_000, 30*time.Second); err != nil {
		s.Errorf("a stream was cut by the end of %s: %v", r.name, err)
	}
	if status := r.ended(); status != 0 {
		s.Errorf("%s ended with status %d", r.name, status)
	}
}

// connect connects to a replica that says that it is ready. Nobody leaves meanwhile.
func (s *service) connect() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	for i := range s.replicas {
		r := s.replicas[(s.turn+i)%len(s.replicas)]
		if r.probe("/readyz") == http.StatusOK {
			return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
		}
	}
	return nil, errors.New("no replica is ready")
}

// load sends connections through, one after the other, until the function that it returns is called. None
// may be refused, and at most so many cut: that is the one that is under way when a link is lost.
func (s *service) load(mayBeCut int) (stop func() string) {
	done, counted := make(chan struct{}), make(chan string)
	go func() {
		served, cut := 0, 0
		for {
			select {
			case <-done:
				counted <- fmt.Sprintf("%d connections served, 0 refused, %d cut", served, cut)
				return
			default:
			}
			conn, err := s.connect()
			if err != nil {
				s.Errorf("a client was refused: %v", err)
				continue
			}
			if err := testbed.EchoThrough(conn, 10_000, 30*time.Second); err == nil {
				served++
			} else if cut++; cut > mayBeCut {
				s.Errorf("a client was cut: %v", err)
			}
		}
	}()
	return func() string { close(done); return <-counted }
}

// TestContainerReplicas: two behind one address. The link of one is lost; both are replaced, as a rolling
// update does; one is evicted. Nobody is refused, and no stream is cut that ends in time.
func TestContainerReplicas(t *testing.T) {
	needPodman(t)
	s := &service{TB: t, echo: echoPort(t)}
	first, second := s.add(), s.add()

	stop := s.load(1)
	first.server.Stop()
	first.await("/readyz", http.StatusServiceUnavailable)
	first.server.Start()
	first.await("/readyz", http.StatusOK)
	t.Logf("a link lost and back: %s", stop())

	stop = s.load(0)
	s.add()
	s.leave(first)
	third := s.add()
	s.leave(second)
	t.Logf("a rolling update: %s, and 0 of 2 that were open", stop())

	stop = s.load(0)
	s.leave(third)
	s.add()
	t.Logf("an eviction: %s, and 0 of 1 that was open", stop())
}

// TestImage looks at the image itself.
func TestImage(t *testing.T) {
	needPodman(t)
	output := t.TempDir()
	var ids []string
	for range 2 {
		cmd := exec.Command("../../packaging/container/build", output)
		cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+abs("../containers.conf"), "ARCHS=amd64")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, podman(t, "image", "inspect", "-f", "{{.Id}}", strings.TrimSpace(string(out))))
	}
	if ids[0] != ids[1] {
		t.Errorf("built twice, it is not the same: %v", ids)
	}
	files, _ := filepath.Glob(filepath.Join(output, "*.tar"))
	if len(files) != 1 {
		t.Fatalf("built %v", files)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	const most = 15 << 20
	if info.Size() > most {
		t.Errorf("the image has %d bytes, want at most %d", info.Size(), most)
	}
	built, err := image()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB to fetch, %s bytes on disk", float64(info.Size())/1e6, podman(t, "image", "inspect", "-f", "{{.Size}}", built))
	// The command line is there too.
	podman(t, "run", "--rm", "--network=none", "--entrypoint=/usr/bin/holdfast", built, "version")
}
