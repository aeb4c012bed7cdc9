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
	s, links := w.inForce.Load(), w.pool.Status()
	w.publishedMu.Lock()
	status, since, handing := w.published, w.since, w.handing
	w.publishedMu.Unlock()
	r := tunnelfile.Report{
		Name: s.tunnel.Name, Version: program.Version(), State: status.State, Reason: status.Reason, Status: status.Text, StateSince: since,
		UpSince: links.UpSince, NextTry: links.NextTry, RTT: links.RTT, Reconnects: links.Reconnects,
		Connections: links.Up, ConnectionsWanted: links.Wanted,
		Settings: tunnelfile.SettingsHash(s.tunnel), Forwards: w.set.Report(),
		HandsOver: true, NotHandedOver: handing.failure, NotHandedOverAt: handing.failedAt,
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

// reports is where the report is served: on the tunnel's socket in the runtime directory, and
// at the address of --listen.
type reports struct {
	log      *slog.Logger
	server   *http.Server
	listener net.Listener  // of --listen; nil: there is none
	free     chan struct{} // full while no more clients may connect there
	path     string        // of the socket; "": there is none
	served   bool          // the path is ours
	left     bool          // another process answers
}

// newReports listens where Options say, unless the process before us did and passed its
// listener. Nobody is answered before begin. Without dir there is no socket: a folder that is
// missing, full or not ours costs the statistics and nothing else.
func (w *worker) newReports(dir, name string, passed net.Listener) (*reports, error) {
	r := &reports{log: w.log, server: w.reportServer(), listener: passed, free: make(chan struct{}, maxReportClients)}
	if dir != "" {
		r.path = tunnelfile.ReportSocket(dir, name)
	}
	if w.o.Listen == "" || passed != nil {
		return r, nil
	}
	l, err := net.Listen("tcp", w.o.Listen)
	if err != nil {
		return nil, fault.Wrap(fault.Listen, err, "--listen %s", w.o.Listen)
	}
	w.log.Info("the report is served", "address", l.Addr().String())
	r.listener = l
	return r, nil
}

// answerGrace is how long who is connected may take to ask, and to be answered, at the end.
const answerGrace = 2 * time.Second

// begin answers, on a socket that listen makes.
func (r *reports) begin(listen func(path string) (*net.UnixListener, error)) {
	if r.listener != nil {
		go r.server.Serve(limited{r.listener, r.free})
	}
	if r.path == "" {
		return
	}
	l, err := listen(r.path)
	if err != nil {
		r.log.Warn("no report socket", "error", err)
		return
	}
	r.served = true
	l.SetUnlinkOnClose(false)
	go r.server.Serve(l)
}

// files is a copy of the socket of --listen, for a process that is to answer there.
func (r *reports) files() ([]*os.File, error) {
	l, ok := r.listener.(*net.TCPListener)
	if !ok {
		return nil, nil
	}
	f, err := l.File()
	return []*os.File{f}, err
}

// leave lets another process answer. Whoever connects from now on waits for that one, and who
// is connected gets one more answer at most.
func (r *reports) leave() {
	r.served, r.left = false, true
	r.server.SetKeepAlivesEnabled(false)
	if r.listener != nil {
		r.listener.Close()
	}
}

// close ends what is left. Who was connected before another process took over is answered first.
func (r *reports) close() {
	if r.left {
		r.awaitClients()
	}
	r.server.Close()
	if r.listener != nil {
		r.listener.Close()
	}
	if r.served {
		os.Remove(r.path)
	}
}

// awaitClients returns when all who connected to the listener, which is closed, were answered.
// Shutdown would leave those without an answer whose question comes now.
func (r *reports) awaitClients() {
	over := time.After(answerGrace)
	for range cap(r.free) {
		select {
		case r.free <- struct{}{}:
		case <-over:
			return
		}
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
		answer(rw, w.pool.Answers(ctx))
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
