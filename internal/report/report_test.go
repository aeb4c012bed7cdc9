package report

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/testbed"
)

// listen serves one connection after another on a socket.
func listen(t *testing.T, serve func(net.Conn)) (socket string) {
	t.Helper()
	socket = filepath.Join(testbed.SocketDir(t), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return socket
}

func TestRead(t *testing.T) {
	socket := listen(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n\r\n{\"name\": \"a\", \"version\": \"1\\u001b[31m\", \"forwards\": [{\"message\": \"x\\ny\"}]}")
	})
	r, err := Read(t.Context(), socket)
	if err != nil || r.Name != "a" || r.Version != "1 [31m" || r.Forwards[0].Message != "x y" {
		t.Errorf("got %+v, %v", r, err)
	}
}

// TestSilent shows that a worker that does not answer holds up nothing for long.
func TestSilent(t *testing.T) {
	socket := listen(t, func(net.Conn) {})
	begin := time.Now()
	if _, err := Read(t.Context(), socket); err == nil {
		t.Error("a report out of nothing")
	}
	if took := time.Since(begin); took > 10*Deadline {
		t.Errorf("waited %v", took)
	}
}

// TestEndless holds that neither endless headers nor an endless report are kept.
func TestEndless(t *testing.T) {
	for name, part := range map[string]string{
		"one header": strings.Repeat("x", 1<<16),
		"headers":    strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 64),
		"report":     "\r\n{\"name\": \"" + strings.Repeat("x", 1<<16),
	} {
		socket := listen(t, func(conn net.Conn) {
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nB: ")
			for {
				if _, err := fmt.Fprint(conn, part); err != nil {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Read(t.Context(), socket); err == nil {
			t.Errorf("%s: a report", name)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
			t.Errorf("%s: %d MiB for a report that must not have more than one", name, grown>>20)
		}
	}
}

// FuzzParse reads anything as a worker's answer: what comes of it is fit for people.
func FuzzParse(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\n\r\n{\"name\": \"a\", \"version\": \"1\\u001b[31m\", \"forwards\": [{\"message\": \"x\\ny\"}]}")
	f.Add("HTTP/1.1 503 \x1b[2J\r\n\r\n")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		r, err := parse(strings.NewReader(answer))
		if err != nil {
			return
		}
		said := []string{r.Name, r.Version, r.Status, string(r.State), string(r.Reason), r.Peer}
		for _, forward := range r.Forwards {
			said = append(said, forward.Text, forward.Message, string(forward.State))
		}
		for _, word := range said {
			if strings.ContainsFunc(word, unicode.IsControl) || utf8.RuneCountInString(word) > text.MaxPeer {
				t.Errorf("%q", word)
			}
		}
	})
}
