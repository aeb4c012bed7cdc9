package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/program"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
)

// report is what the tunnel says of itself when somebody asks.
func (w *worker) report() tunnelfile.Report {
	s, links := w.inForce.Load(), w.pool.status()
	w.publishedMu.Lock()
	status, since, notHandedOver := w.published, w.since, w.notHandedOver
	w.publishedMu.Unlock()
	r := tunnelfile.Report{
		Name: s.tunnel.Name, Version: program.Version(), State: status.State, Reason: status.Reason, Status: status.Text, StateSince: since,
		UpSince: links.UpSince, NextTry: links.NextTry, RTT: links.RTT, Reconnects: links.Reconnects,
		Connections: links.up, ConnectionsWanted: links.wanted,
		Settings: tunnelfile.SettingsHash(s.tunnel), Forwards: w.set.Report(),
		HandsOver: true, NotHandedOver: notHandedOver,
	}
	if s.resolved != nil {
		r.Transport = s.resolved.Transport
	}
	if link, ok := links.Link.(sshlink.Link); ok {
		info := link.Info()
		if a := link.RemoteAddr(); a != nil {
			r.Peer = a.String()
		}
		r.Transport, r.Kex, r.Cipher, r.HostKey = info.Transport, info.Kex, info.Cipher, info.HostKey
	}
	t := w.set.Totals()
	r.ChannelsOpen, r.ChannelsTotal, r.Held = t.ChannelsOpen, t.ChannelsTotal, t.Held
	r.BytesSent, r.BytesReceived = t.BytesSent, t.BytesReceived
	return r
}

// serveReports answers on the tunnel's socket in the runtime directory, and where Options
// say. A folder that is missing, full or not ours costs the statistics and nothing else.
func (w *worker) serveReports(dir, name string) (stop func(), err error) {
	server := w.reportServer()
	if w.o.Listen != "" {
		l, err := net.Listen("tcp", w.o.Listen)
		if err != nil {
			return nil, fault.Wrap(fault.Listen, err, "--listen %s", w.o.Listen)
		}
		w.log.Info("the report is served", "address", l.Addr().String())
		go server.Serve(limited{l, make(chan struct{}, maxReportClients)})
	}
	if dir != "" {
		w.socket = &reportSocket{server: server, path: tunnelfile.ReportSocket(dir, name)}
		if !w.predecessor.serving() {
			w.serveSocket(listenReports)
		}
	}
	return func() { server.Close(); w.socket.remove() }, nil
}

// reportSocket is where the report is served on this machine.
type reportSocket struct {
	server *http.Server
	path   string
	served bool // the path is ours
}

// serveSocket answers on the report socket, which listen makes.
func (w *worker) serveSocket(listen func(path string) (*net.UnixListener, error)) {
	if w.socket == nil {
		return
	}
	l, err := listen(w.socket.path)
	if err != nil {
		w.log.Warn("no report socket", "error", err)
		return
	}
	w.socket.served = true
	l.SetUnlinkOnClose(false)
	go w.socket.server.Serve(l)
}

// leave lets another process have the path.
func (s *reportSocket) leave() {
	if s != nil {
		s.served = false
	}
}

func (s *reportSocket) remove() {
	if s != nil && s.served {
		os.Remove(s.path)
	}
}

func (w *worker) reportServer() *http.Server {
	return &http.Server{
		Handler:           w.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // of clients
	}
}

// maxReportClients is how many clients may ask at once by --listen: the network must not take
// the descriptors that the tunnel needs.
const maxReportClients = 32

// limited is a listener that has as many connections open as free has room.
type limited struct {
	net.Listener
	free chan struct{}
}

// Accept waits until there is room.
func (l limited) Accept() (net.Conn, error) {
	l.free <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.free })}, nil
}

type limitedConn struct {
	net.Conn
	leave func()
}

// Close makes room.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// listenReports listens on path, for this user only, in place of a socket that nobody
// answers on any more.
func listenReports(path string) (*net.UnixListener, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s: another process answers there", path)
	}
	return replaceReports(path)
}

// replaceReports listens on path in place of whoever did: at every moment somebody answers.
func replaceReports(path string) (*net.UnixListener, error) {
	dir, name := filepath.Split(path)
	temporary := filepath.Join(dir, "."+strings.TrimSuffix(name, ".sock")+".new") // no longer than path: there is a limit
	os.Remove(temporary)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err = os.Chmod(temporary, 0o600); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// handler is what the socket answers: the same paths as many programs have.
func (w *worker) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		json.NewEncoder(rw).Encode(w.report())
	})
	mux.HandleFunc("GET /metrics", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		writeMetrics(rw, w.report())
	})
	mux.HandleFunc("GET /livez", func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		answer(rw, w.pool.answers(ctx))
	})
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		if rep := w.report(); rep.State != tunnelfile.Up && rep.State != tunnelfile.Degraded {
			answer(rw, errors.New(rep.Line().String()))
			return
		}
		answer(rw, nil)
	})
	return mux
}

// answer is 200 and "ok", or 503 and what is wrong.
func answer(rw http.ResponseWriter, err error) {
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(rw, "ok")
}
