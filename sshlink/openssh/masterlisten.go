package openssh

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
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/holdfast/holdfast/internal/lazyregexp"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// masterListener is a remote listener that ssh -O forward made. The server's connections arrive at
// a unix socket of ours in dir, see remoteDir.
type masterListener struct {
	net.Listener
	link *Link
	key  wire.Endpoint
	spec string // the argument of -R
	addr net.Addr
	dir  string

	asked bool // ssh may have the forward
	once  sync.Once
}

var allocated = lazyregexp.New(`^\s*(?:Allocated port )?(\d+)`)

// ListenContext asks the server to listen on an address.
func (l *Link) ListenContext(ctx context.Context, network, addr string) (net.Listener, error) {
	key, err := wire.ParseEndpoint(network, addr)
	if err != nil {
		return nil, err
	}
	where, err := specification(key)
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
		return nil, fmt.Errorf("%w: another tunnel has it, through the same ControlMaster", &wire.RefusedError{Addr: key.String()})
	}
	os.Remove(path) // left by a process that was killed
	local, err := net.Listen("unix", path)
	if err != nil {
		os.Remove(dir)
		return nil, err
	}
	ln := &masterListener{Listener: local, link: l, key: key, dir: dir, addr: key.Addr()}
	ln.spec = where + ":" + path
	var out bytes.Buffer
	err = l.master.control(ctx, &out, "forward", "-R", ln.spec)
	ln.asked = err == nil || ctx.Err() != nil // if ctx ended, ssh may have got the command before
	if err != nil {
		ln.Close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !l.Alive() {
			return nil, l.Lost()
		}
		return nil, fmt.Errorf("%w (%w)", &wire.RefusedError{Addr: key.String()}, err)
	}
	if m := allocated.FindStringSubmatch(out.String()); m != nil && key.Unix == "" && key.Port == 0 {
		port, _ := strconv.Atoi(m[1])
		ln.key.Port = uint32(port)
		ln.addr = ln.key.Addr()
	}
	l.OnEnd(func() { ln.Close() })
	return ln, nil
}

// remoteDir is the folder of the unix socket for one address on the server. It is the same for each
// try, for two reasons. ssh 9.2 keeps an entry for each -R that the server refused. After a later
// try succeeds, it would lead connections to the socket of the first try. And the person's own
// master may still have the -R of a worker that was killed. The next worker then listens at the
// socket of that -R.
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
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Getuid() || info.Mode() != fs.ModeDir|0o700 {
		return "", fmt.Errorf("%s is not a folder of ours alone", dir)
	}
	return dir, nil
}

// specification is the part of -R that says where the server listens.
func specification(k wire.Endpoint) (string, error) {
	switch {
	case k.Unix != "":
		return k.Unix, nameable("-R", k.Unix)
	case k.Host == "":
		return "*:" + strconv.Itoa(int(k.Port)), nil
	}
	return net.JoinHostPort(k.Host, strconv.Itoa(int(k.Port))), nil
}

// nameable is the error for a path that the argument of an option of ssh cannot name.
func nameable(option, path string) error {
	if strings.ContainsAny(path, ":\\") {
		return fmt.Errorf("ssh %s cannot name %q: it has a colon or a backslash in it", option, path)
	}
	return nil
}

// Accept waits for a connection to the remote listener.
func (ln *masterListener) Accept() (net.Conn, error) {
	c, err := ln.Listener.Accept()
	if err != nil && !ln.link.Alive() {
		return nil, ln.link.Lost()
	}
	return c, err
}

// Close closes everything on this side. It makes the server stop listening if the master still can:
// the person's own master outlives the link.
func (ln *masterListener) Close() (err error) {
	ln.once.Do(func() {
		ln.Listener.Close()
		os.Remove(ln.dir)
		if ln.asked && (ln.link.Alive() || ln.link.master.cmd == nil) {
			err = ln.link.master.withdraw("-R", ln.spec)
		}
	})
	return err
}

// Addr is the address that was requested. If its port was 0, it has the port that the server chose.
func (ln *masterListener) Addr() net.Addr { return ln.addr }
