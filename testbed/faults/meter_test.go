package faults

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// A client connects five times a second, sends some bytes and wants the same back.
const (
	probeEvery   = 200 * time.Millisecond
	probeBytes   = 1000
	probePatient = 40 * time.Second
)

// outcome is what a probe met.
type outcome string

const (
	good    outcome = "good"
	refused outcome = "refused"
	reset   outcome = "reset" // or ended before all bytes were back
	wrong   outcome = "wrong" // bytes came back that are not those sent
	late    outcome = "late"  // nothing came in probePatient
)

// echoServer is the role "echo": it sends back what it receives.
func echoServer(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
		}()
	}
}

// meterProgram is the role "meter": it probes and prints a line for each probe that
// has ended: outcome, start and end in Unix nanoseconds. Its arguments are an address
// and, where that is a SOCKS proxy, the target.
func meterProgram(args []string) {
	var out sync.Mutex
	for range time.Tick(probeEvery) {
		go func() {
			start := time.Now()
			o := probe(args)
			out.Lock()
			defer out.Unlock()
			fmt.Println(o, start.UnixNano(), time.Now().UnixNano())
		}()
	}
}

func probe(args []string) outcome {
	var conn net.Conn
	var err error
	if len(args) > 1 {
		conn, err = testbed.DialSOCKS("tcp", args[0], args[1])
	} else {
		conn, err = net.DialTimeout("tcp", args[0], probePatient)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, os.ErrDeadlineExceeded):
		return late
	case err != nil:
		return reset // a SOCKS proxy that went away, or says that it cannot
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(probePatient))
	sent, back := make([]byte, probeBytes), make([]byte, probeBytes)
	rand.Read(sent)
	if _, err := conn.Write(sent); err != nil {
		return reset
	}
	_, err = io.ReadFull(conn, back)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return late
	case err != nil:
		return reset
	case !bytes.Equal(sent, back):
		return wrong
	}
	return good
}

// meter is a probing client seen from the test.
type meter struct {
	mu     sync.Mutex
	probes []probed
}

type probed struct {
	outcome    outcome
	start, end time.Time
}

// newMeter starts a client that probes from a network namespace.
func newMeter(t testing.TB, netns string, args ...string) *meter {
	m := &meter{}
	helper(t, netns, "meter", func(line string) {
		var p probed
		var start, end int64
		if _, err := fmt.Sscan(line, (*string)(&p.outcome), &start, &end); err != nil {
			return
		}
		p.start, p.end = time.Unix(0, start), time.Unix(0, end)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.probes = append(m.probes, p)
	}, args...)
	return m
}

// usable is how long after ended the first probe that began after begun came back
// good; negative: none has.
func (m *meter) usable(begun, ended time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := time.Duration(-1)
	for _, p := range m.probes {
		if p.outcome == good && p.start.After(begun) && p.end.After(ended) {
			if d := p.end.Sub(ended); first < 0 || d < first {
				first = d
			}
		}
	}
	return first
}

// count is how many probes that began after begun met an outcome.
func (m *meter) count(o outcome, begun time.Time) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.probes {
		if p.outcome == o && p.start.After(begun) {
			n++
		}
	}
	return n
}

// tail is the outcomes of the last probes, for messages.
func (m *meter) tail() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var words []string
	for _, p := range m.probes[max(0, len(m.probes)-5):] {
		words = append(words, string(p.outcome))
	}
	return strings.Join(words, " ")
}
