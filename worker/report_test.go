package worker

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/forward"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// panics takes what the server logs, and keeps that a handler panicked.
type panics struct{ last atomic.Pointer[string] }

func (p *panics) Write(line []byte) (int, error) {
	if s := string(line); strings.Contains(s, "panic") {
		p.last.Store(&s)
	}
	return len(line), nil
}

// FuzzReportServer sends anything to the report socket: nothing panics, and whoever asks as one
// should is answered.
func FuzzReportServer(f *testing.F) {
	var panicked panics
	log := slog.New(slog.NewTextHandler(&panicked, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w := &worker{log: log, published: tunnelfile.Status{State: tunnelfile.Up}}
	w.inForce.Store(&settings{tunnel: tunnelfile.Tunnel{Name: "t"}})
	keeping, stop := context.WithCancel(context.Background())
	f.Cleanup(stop)
	w.pool = pool.New(keeping, pool.Config{Set: w.set, Keeper: func(*pool.Connection) keeper.Config {
		return keeper.Config{Log: log, Dial: func(ctx context.Context) (keeper.Link, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}}
	}, Changed: func(pool.Status) {}})
	w.pool.Resize(1)
	var err error
	if w.set, err = forward.New(forward.Config{Log: log, Changed: func() {}}); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(testbed.SocketDir(f), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		f.Fatal(err)
	}
	server := w.reportServer()
	go server.Serve(l)
	f.Cleanup(func() { server.Close() })

	const good = "GET /status HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
	ask := func(t *testing.T, request string) string {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() {
			_, _ = io.WriteString(conn, request)
			_ = conn.(*net.UnixConn).CloseWrite()
		}()
		answer, _ := io.ReadAll(conn)
		return string(answer)
	}
	f.Add(good)
	f.Add("GET /metrics HTTP/1.0\r\n\r\n")
	f.Add("GET /livez HTTP/1.1\r\nHost: t\r\n\r\nGET /readyz HTTP/1.1\r\nHost: t\r\n\r\n")
	f.Add("POST /status HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n")
	f.Fuzz(func(t *testing.T, request string) {
		ask(t, request)
		if p := panicked.last.Load(); p != nil {
			t.Fatal(*p)
		}
		if answer := ask(t, good); !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(answer, `"name":"t"`) {
			t.Errorf("after %q: %q", request, answer)
		}
	})
}
