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

// report is the current report, for the statistics socket and --listen.
func (w *worker) report() tunnelfile.Report {
	s, links := w.inForce.Load(), w.pool.Status()
	w.publishedMu.Lock()
	status, since, handOverStatus := w.published, w.since, w.handOverStatus
	w.publishedMu.Unlock()
	r := tunnelfile.Report{
		Name: s.tunnel.Name, Version: program.Version(), State: status.State, Reason: status.Reason, Status: status.Text, StateSince: since,
		UpSince: links.UpSince, NextTry: links.NextTry, RTT: links.RTT, Reconnects: links.Reconnects,
		Connections: links.Up, ConnectionsWanted: links.Wanted,
		Settings: tunnelfile.SettingsHash(s.tunnel), Forwards: w.set.Report(),
		HandsOver: true, NotHandedOver: handOverStatus.failure, NotHandedOverAt: handOverStatus.failedAt,
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

// reports serves the report on the tunnel's socket in the runtime directory, and at the address
// of --listen.
type reports struct {
	log      *slog.Logger
	server   *http.Server
	listener net.Listener  // of --listen; nil if there is none
	free     chan struct{} // a token for each client of --listen; full when no more may connect
	path     string        // of the socket; "" if there is none
	served   bool          // this process serves the socket at path
	left     bool          // another process has taken over
}

// newReports listens at Options.Listen, or uses the listener that a predecessor passed. It
// answers nobody before begin. dir is the runtime directory; if it is empty there is no socket,
// because a folder that is missing, full or not ours must cost only the statistics.
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

// answerGrace is how long the clients that are connected at the end of a handover may take for a
// last request and its answer.
const answerGrace = 2 * time.Second

// begin starts to answer. listen makes the socket.
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

// files copies the socket of --listen, for a successor.
func (r *reports) files() ([]*os.File, error) {
	l, ok := r.listener.(*net.TCPListener)
	if !ok {
		return nil, nil
	}
	f, err := l.File()
	return []*os.File{f}, err
}

// leave lets the successor answer. New clients wait for the successor; clients that are
// connected get at most one more answer.
func (r *reports) leave() {
	r.served, r.left = false, true
	r.server.SetKeepAlivesEnabled(false)
	if r.listener != nil {
		r.listener.Close()
	}
}

// close stops serving. After leave it first waits for the clients that are still connected.
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

// awaitClients returns when all clients of the closed listener have their answer, or after
// answerGrace. http.Server.Shutdown would drop clients whose request is still to come.
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
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelDebug), // these are the clients' errors
	}
}

// maxReportClients is how many clients may be connected at once by --listen: clients from the
// network must not use up the descriptors that the tunnel needs.
const maxReportClients = 32

// limited is a listener with at most cap(free) open connections.
type limited struct {
	net.Listener
	free chan struct{}
}

// Accept waits until there is room for one more connection.
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

// Close closes the connection and makes room for another one.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// listenReports listens on path, for this user only. It replaces a socket that nobody answers on,
// and fails if another process does.
func listenReports(path string) (*net.UnixListener, error) {
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s: another process answers there", path)
	}
	return replaceReports(path)
}

// replaceReports listens on path in place of another process. It replaces the socket by
// rename(2), so that a client can connect at any moment.
func replaceReports(path string) (*net.UnixListener, error) {
	dir, name := filepath.Split(path)
	temporary := filepath.Join(dir, "."+strings.TrimSuffix(name, ".sock")+".new") // not longer than path, see unix(7)
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

// handler serves /status, /metrics, /livez and /readyz, the paths that many programs use.
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

// answer writes 200 and "ok", or 503 and the error.
func answer(rw http.ResponseWriter, err error) {
	if err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(rw, "ok")
}
