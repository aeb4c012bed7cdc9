package sshlink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// masterListener is a remote listener made by ssh -O forward: the server's connections come
// to a unix socket of ours in the master's folder.
type masterListener struct {
	net.Listener
	link *Link
	key  forwardKey
	spec string // what -R was given
	addr net.Addr
	dir  string

	once sync.Once
}

var allocated = regexp.MustCompile(`^\s*(?:Allocated port )?(\d+)`)

func (l *Link) listenMaster(ctx context.Context, key forwardKey) (net.Listener, error) {
	where, err := key.specification()
	if err != nil {
		return nil, err
	}
	dir, err := l.master.remoteDir(where)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "r")
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%w: another tunnel has it, through the same ControlMaster", &RefusedError{Addr: key.text()})
	}
	os.Remove(path) // of one that was killed
	local, err := net.Listen("unix", path)
	if err != nil {
		os.Remove(dir)
		return nil, err
	}
	ln := &masterListener{Listener: local, link: l, key: key, dir: dir, addr: key.address()}
	ln.spec = where + ":" + path
	var out bytes.Buffer
	if err := l.master.control(ctx, &out, "forward", "-R", ln.spec); err != nil {
		ln.release()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !l.Alive() {
			return nil, l.lost()
		}
		return nil, fmt.Errorf("%w (%w)", &RefusedError{Addr: key.text()}, err)
	}
	if m := allocated.FindStringSubmatch(out.String()); m != nil && key.unix == "" && key.port == 0 {
		port, _ := strconv.Atoi(m[1])
		ln.key.port = uint32(port)
		ln.addr = ln.key.address()
	}
	l.onEnd(ln.release)
	return ln, nil
}

// remoteDir is the folder of the socket to which what comes from a place on the server goes. It is
// the same for each try: ssh 9.2 keeps an entry for each -R that the server refused, and would lead
// what comes later, once another try has succeeded, to the socket of the first. And where the
// person's own master still has a -R of a worker that was killed, the next worker finds it so.
func (m *master) remoteDir(where string) (string, error) {
	sum := sha256.Sum256([]byte(m.socket + "\n" + where))
	dir := filepath.Join(privateParent(), fmt.Sprintf("%s%x", remotePrefix, sum[:8]))
	if err := os.Mkdir(dir, 0o700); err == nil || !errors.Is(err, fs.ErrExist) {
		return dir, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if owner, ok := ownerOf(info); !ok || owner != os.Getuid() || info.Mode() != fs.ModeDir|0o700 {
		return "", fmt.Errorf("%s is not a folder of ours alone", dir)
	}
	return dir, nil
}

// specification is the listening half of -R.
func (k forwardKey) specification() (string, error) {
	switch {
	case k.unix != "":
		if strings.ContainsAny(k.unix, ":\\") {
			return "", fmt.Errorf("ssh -R cannot name %q: it has a colon or a backslash in it", k.unix)
		}
		return k.unix, nil
	case k.host == "":
		return "*:" + strconv.Itoa(int(k.port)), nil
	}
	return net.JoinHostPort(k.host, strconv.Itoa(int(k.port))), nil
}

// Accept waits for a connection to the remote listener.
func (ln *masterListener) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil && !ln.link.Alive() {
		return nil, ln.link.lost()
	}
	return c, err
}

// Close lets the server stop listening.
func (ln *masterListener) Close() error {
	ln.release()
	if !ln.link.Alive() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), cancelTimeout)
	defer cancel()
	return ln.link.master.control(ctx, &bytes.Buffer{}, "cancel", "-R", ln.spec)
}

// release lets go of everything on this side.
func (ln *masterListener) release() {
	ln.once.Do(func() {
		ln.Listener.Close()
		os.Remove(ln.dir)
	})
}

// Addr is where the server listens, as it was asked to.
func (ln *masterListener) Addr() net.Addr { return ln.addr }
