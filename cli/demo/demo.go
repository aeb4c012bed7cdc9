// Package demo shows the product at work, step by step and with times: a throw-away SSH server, a
// tunnel through it, a fault, a recovery.
//
// The server is part of the demo, because the machine's sshd may be missing and needs an account. It
// accepts one key, forwards to one port, and can vanish and come back. The tunnel is a real one, with a
// tunnel file, a unit, a worker and SSH. The demo cleans up whatever happens.
//
// It is a client of the daemon. Of systemd it uses systemctl only.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Options configure the demo.
type Options struct {
	Out        io.Writer
	Look       layout.Look   // what Out can show
	Foreground bool          // no daemon, no unit: one holdfast-tunnel as a child process
	Programs   string        // folder of holdfastd and holdfast-tunnel; "" means that of this program
	Size       int64         // bytes to send through the tunnel; 0 means 100 MiB
	Outage     time.Duration // how long the server stays away; 0 means 3 s
}

// tunnel is a running tunnel: a systemd unit, or a child process.
type tunnel interface {
	// await returns once the tunnel is in one of the states. It returns the status for people.
	await(ctx context.Context, states ...tunnelfile.State) (string, error)
	// describe is what systemctl or ps prints about it.
	describe(ctx context.Context) string
	// kill sends SIGKILL to the worker. ok is false if nobody would restart it; then nothing is killed.
	kill(ctx context.Context) (pid int, ok bool, err error)
	// remove stops the tunnel and leaves nothing behind. It runs after Run's context may have ended.
	remove(ctx context.Context) error
}

// patience is how long each step may take.
const patience = 30 * time.Second

// Run runs the demo and prints it. It cleans up before it returns, even if the context has ended, as
// after Ctrl-C.
func Run(ctx context.Context, o Options) (err error) {
	if o.Size == 0 {
		o.Size = 100 << 20
	}
	if o.Outage == 0 {
		o.Outage = 3 * time.Second
	}
	if o.Programs == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Programs = filepath.Dir(self)
	}
	d := demo{Options: o, story: story{out: o.Out, look: o.Look, start: time.Now()}}
	defer func() {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // it caused whatever error there was
			d.say(bad, "interrupted", "cleaning up")
		}
		if err = cmp.Or(err, d.cleanUp()); err == nil {
			d.sum()
		}
	}()
	return d.run(ctx)
}

// demo is one run of the demo. cleanUp removes whatever is set.
type demo struct {
	Options
	story
	dir    string // temporary files
	local  string // the tunnel's listening address
	server *server
	tunnel tunnel
	faults int
}

func (d *demo) run(ctx context.Context) error {
	d.headline("Holdfast: a throw-away SSH server, a tunnel through it, a fault, a recovery")
	text, err := d.prepare()
	if err != nil {
		return err
	}
	if err := d.raise(ctx, text); err != nil {
		return err
	}
	if err := d.bytes(ctx, "bytes"); err != nil {
		return err
	}
	if err := d.outage(ctx); err != nil {
		return err
	}
	return d.crash(ctx)
}

// sum prints what the demo showed, and what to do next.
func (d *demo) sum() {
	fmt.Fprintln(d.out)
	faults := "One fault"
	if d.faults > 1 {
		faults = fmt.Sprintf("%d faults", d.faults)
	}
	fmt.Fprintf(d.out, "%s in %s: no connection was refused, no byte was lost.\n\n", d.look.Paint(layout.Bold, faults), seconds(time.Since(d.start)))
	fmt.Fprintf(d.out, "A tunnel of your own, from what you would give ssh or autossh:\n")
	fmt.Fprintf(d.out, "    holdfast add web -L 8080:localhost:80 me@host\n    holdfast up web\n")
}

// prepare starts the server and returns the text of a tunnel file for it.
func (d *demo) prepare() (string, error) {
	var err error
	// The runtime directory is private and in memory. Without one, use the default temporary folder.
	if d.dir, err = os.MkdirTemp(os.Getenv("XDG_RUNTIME_DIR"), "holdfast-demo-"); err != nil {
		return "", err
	}
	if d.server, err = newServer(); err != nil {
		return "", err
	}
	if d.local, err = freeAddress(); err != nil {
		return "", err
	}
	identity, known := filepath.Join(d.dir, "id_ed25519"), filepath.Join(d.dir, "known_hosts")
	if err := os.WriteFile(identity, d.server.login, 0o600); err != nil {
		return "", err
	}
	line := knownhosts.Line([]string{d.server.address}, d.server.hostKey)
	if err := os.WriteFile(known, []byte(line+"\n"), 0o600); err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(d.server.address)
	if err != nil {
		return "", err
	}
	d.say(good, "SSH server", "listens on %s, an echo service behind it on %s", d.server.address, d.server.echo)
	return fmt.Sprintf(`[Tunnel]
Description=Holdfast's demo
Destination=demo@127.0.0.1
LocalForward=%s %s
Start=manual
RetryMax=1s

[SSH]
Port=%s
IdentityFile=%s
IdentitiesOnly=yes
UserKnownHostsFile=%s
GlobalKnownHostsFile=/dev/null
StrictHostKeyChecking=yes

[Service]
RestartSec=1s
`, d.local, d.server.echo, port, identity, known), nil
}

// raise starts the tunnel: as a unit, or as a process if there is no user manager.
func (d *demo) raise(ctx context.Context, text string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	foreground := d.Foreground
	if !foreground {
		if why := noUserManager(ctx); why != "" {
			d.say(wait, "no systemd", "%s", why)
			d.say(wait, "", "so no daemon and no unit: one holdfast-tunnel in the foreground, as in a container")
			foreground = true
		}
	}
	var err error
	if foreground {
		err = d.raiseProcess(text)
	} else {
		err = d.raiseUnit(ctx, text)
	}
	if err != nil {
		return err
	}
	started := time.Now()
	line, err := d.tunnel.await(ctx, tunnelfile.Up)
	if err != nil {
		return err
	}
	line = tunnelfile.ParseStatus(line).Text
	d.say(good, "up", "after %s: %s", seconds(time.Since(started)), line)
	d.quote(d.tunnel.describe(ctx))
	return nil
}

// bytes sends data through the tunnel and back.
func (d *demo) bytes(ctx context.Context, subject string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	d.say(wait, subject, "%s to %s, through the tunnel to the echo service and back", text.Bytes(uint64(d.Size)), d.local)
	started := time.Now()
	sum, err := echo(ctx, d.local, d.Size)
	if err != nil {
		return err
	}
	took := time.Since(started)
	d.say(good, subject, "the same came back, SHA-256 %x…, in %s: %.0f MiB/s each way",
		sum[:6], seconds(took), float64(d.Size)/(1<<20)/took.Seconds())
	return nil
}

// outage cuts the link and opens a connection while it is down.
func (d *demo) outage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience+d.Outage)
	defer cancel()
	d.server.vanish()
	d.faults++
	d.say(bad, "link cut", "the server reset the connection and is gone")
	line, err := d.tunnel.await(ctx, tunnelfile.Retrying, tunnelfile.Connecting)
	if err != nil {
		return err
	}
	d.say(wait, "tunnel", "%s", line)
	v, err := visit(ctx, d.local)
	if err != nil {
		return err
	}
	defer v.conn.Close()
	d.say(good, "local port", "still open: a connection made now is taken, and waits")
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d.Outage):
	}
	if err := d.server.comeBack(); err != nil {
		return err
	}
	back := time.Now()
	d.say(good, "server back", "on the same port, after %s", seconds(back.Sub(v.came)))
	served, err := v.answered(ctx)
	if err != nil {
		return err
	}
	d.say(good, "served", "the connection that waited has its answer, %s after the server was back", seconds(served.Sub(back)))
	if _, err := d.tunnel.await(ctx, tunnelfile.Up); err != nil {
		return err
	}
	return d.bytes(ctx, "bytes again")
}

// crash kills the worker. systemd keeps the socket open and starts the worker again.
func (d *demo) crash(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pid, ok, err := d.tunnel.kill(ctx)
	if err != nil || !ok {
		return err
	}
	d.faults++
	d.say(bad, "kill -9", "the tunnel's own process, %d", pid)
	v, err := visit(ctx, d.local)
	if err != nil {
		return err
	}
	d.say(good, "local port", "still open: it is systemd that listens")
	served, err := v.answered(ctx)
	if err != nil {
		return err
	}
	d.say(good, "served", "by a new process, %s after the old one died", seconds(served.Sub(v.came)))
	return nil
}

// cleanUp leaves nothing behind. It has its own deadline, because the run's context may have ended.
func (d *demo) cleanUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if d.tunnel != nil {
		err = d.tunnel.remove(ctx)
	}
	if d.server != nil {
		d.server.close()
	}
	if d.dir != "" {
		err = cmp.Or(err, os.RemoveAll(d.dir))
	}
	if err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	if d.tunnel != nil {
		d.say(good, "cleaned up", "tunnel, server, keys and files are gone")
	}
	return nil
}
