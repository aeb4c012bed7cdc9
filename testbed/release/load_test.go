//go:build packages

package release

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// loadVerb is the argument with which this program is the clients of tunnels, in a machine. The
// others are where to echo, and where to connect.
const loadVerb = "load"

// streamChunks is how long a stream is that does not stay: about four seconds.
const streamChunks = 80

// serveLoad connects from the first line on standard input, tells the counts at each line more,
// and stops at its end.
func serveLoad(args []string) {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	var loads []*testbed.Load
	for first := true; lines.Scan(); first = false {
		var counts testbed.Counts
		for _, address := range args[1:] {
			if first {
				network := "tcp"
				if filepath.IsAbs(address) {
					network = "unix"
				}
				loads = append(loads, testbed.NewLoad(network, address, streamChunks))
			}
		}
		for _, load := range loads {
			counts = counts.Add(load.Counts())
		}
		json.NewEncoder(os.Stdout).Encode(counts)
	}
	var counts testbed.Counts
	var mu sync.Mutex
	var stopping sync.WaitGroup
	for _, load := range loads {
		stopping.Go(func() {
			c := load.Stop()
			mu.Lock()
			defer mu.Unlock()
			counts = counts.Add(c)
		})
	}
	stopping.Wait()
	json.NewEncoder(os.Stdout).Encode(counts)
}

// clients are the clients of a machine's tunnels.
type clients struct {
	testing.TB
	in     io.WriteCloser
	out    *json.Decoder
	before testbed.Counts
}

// load has clients in the machine connect to these addresses, which lead to echo.
func (m machine) load(echo string, addresses ...string) *clients {
	m.Helper()
	self, err := os.Executable()
	if err != nil {
		m.Fatal(err)
	}
	program := filepath.Join(scratch, "clients") // where the machine sees it
	if _, err := os.Stat(program); err != nil {
		run(m, "cp", self, program)
	}
	cmd := exec.Command("testbed/box", append([]string{"user", m.dir, program, loadVerb, echo}, addresses...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return &clients{TB: m, in: in, out: json.NewDecoder(out)}
}

// counts is what the clients have met so far.
func (c *clients) counts() (all testbed.Counts) {
	c.Helper()
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		c.Fatal(err)
	}
	if err := c.out.Decode(&all); err != nil {
		c.Fatal(err)
	}
	return all
}

// during tells what the clients have met since it was called last, when so many more have been
// served; it fails the test if that is trouble.
func (c *clients) during(what string, more int) {
	c.Helper()
	want := c.counts().Served + more
	testbed.WaitFor(c, time.Minute, func() error {
		if all := c.counts(); all.Served < want {
			return fmt.Errorf("%s: %v", what, all)
		}
		return nil
	})
	c.tell(what, c.counts())
}

func (c *clients) tell(what string, all testbed.Counts) {
	c.Helper()
	since := all
	since.Served, since.Streams, since.Bytes = all.Served-c.before.Served, all.Streams-c.before.Streams, all.Bytes-c.before.Bytes
	since.Refused, since.Cut, since.Wrong = all.Refused-c.before.Refused, all.Cut-c.before.Cut, all.Wrong-c.before.Wrong
	if since.Well() {
		since.First = ""
		c.Logf("%s: %v", what, since)
	} else {
		c.Errorf("%s: %v", what, since)
	}
	c.before = all
}

// stop lets the clients end: the streams that stay are counted then.
func (c *clients) stop(what string) {
	c.Helper()
	c.in.Close()
	var all testbed.Counts
	if err := c.out.Decode(&all); err != nil {
		c.Fatal(err)
	}
	c.tell(what, all)
}

// version makes the packages of this checkout as another version, for this machine, once each.
func version(t testing.TB, version, pattern string) string {
	t.Helper()
	dir := filepath.Join(scratch, "version-"+version)
	if _, err := os.Stat(dir); err != nil {
		run(t, "env", "VERSION="+version, "ARCHES=amd64", "packaging/build", dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v %v", pattern, files, err)
	}
	return strings.TrimSpace(files[0])
}
