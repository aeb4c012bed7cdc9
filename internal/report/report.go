// Package report reads the report of a running tunnel from its socket.
//
// It believes only the worker's user and root, and reads no more than a report can have.
package report

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/sockets"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	// Deadline is how long a report may take.
	Deadline = time.Second
	// maxReport bounds all that is read, headers included. A report of 1,000 forwards needs a third
	// of it.
	maxReport = 1 << 20 // bytes
)

// Read asks the worker that listens on a socket for its report. It does not use http.Client, which
// would add half a megabyte to each program.
func Read(ctx context.Context, socket string) (tunnelfile.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	var r tunnelfile.Report
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return r, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := believe(conn.(*net.UnixConn), socket); err != nil {
		return r, err
	}
	if _, err := io.WriteString(conn, "GET /status HTTP/1.1\r\nHost: tunnel\r\nConnection: close\r\n\r\n"); err != nil {
		return r, err
	}
	if r, err = parse(io.LimitReader(conn, maxReport)); err != nil {
		return tunnelfile.Report{}, fmt.Errorf("%s: %w", socket, err)
	}
	return r, nil
}

// parse reads the answer to the request.
func parse(answer io.Reader) (r tunnelfile.Report, err error) {
	response, err := http.ReadResponse(bufio.NewReader(answer), nil)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return r, errors.New(text.FromPeer(response.Status))
	}
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return r, err
	}
	clean(&r)
	return r, nil
}

// believe returns an error unless the process that listens belongs to root, or to the owner of the
// socket's folder.
func believe(conn *net.UnixConn, socket string) error {
	info, err := os.Stat(filepath.Dir(socket))
	if err != nil {
		return err
	}
	uid, err := sockets.PeerUID(conn)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if uid == 0 || ok && uid == owner.Uid {
		return nil
	}
	return fmt.Errorf("%s: a process of user %d listens there, which is not the tunnel", socket, uid)
}

// clean makes every text of a report safe to show.
func clean(r *tunnelfile.Report) {
	for _, word := range []*string{&r.Name, &r.Status, &r.Version, &r.Peer, &r.Kex, &r.Cipher, &r.HostKey, &r.NotHandedOver,
		(*string)(&r.State), (*string)(&r.Reason), (*string)(&r.Transport)} {
		*word = text.FromPeer(*word)
	}
	for i := range r.Forwards {
		f := &r.Forwards[i]
		for _, word := range []*string{&f.Text, &f.Listen, &f.Target, &f.Message, (*string)(&f.Kind), (*string)(&f.State), (*string)(&f.Reason)} {
			*word = text.FromPeer(*word)
		}
	}
}
