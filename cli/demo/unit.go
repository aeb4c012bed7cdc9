package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// unit is the demo's tunnel like everybody's: a tunnel file that the daemon reads, and a unit that
// systemd runs.
type unit struct {
	client *dbusapi.Client
	name   string
	added  bool
	daemon *child // sees only the demo's tunnel; nil if a daemon is installed
}

// noUserManager says why there can be no unit here. It is "" if there can.
func noUserManager(ctx context.Context) string {
	if _, err := exec.LookPath("systemctl"); err != nil {
		return "systemctl is not installed"
	}
	out, err := exec.CommandContext(ctx, "systemctl", "--user", "show", "--property=Version").CombinedOutput()
	if err != nil {
		return strings.TrimSpace(string(out))
	}
	return ""
}

// raiseUnit gives the tunnel file to the daemon and asks it to start the tunnel.
func (d *demo) raiseUnit(ctx context.Context, text string) error {
	client, err := dbusapi.Dial(ctx, false)
	if err != nil {
		return err
	}
	u := &unit{client: client, name: "demo"}
	d.tunnel = u // cleanUp has something to do from here on
	global, err := client.Global(ctx)
	if errors.Is(err, dbusapi.ErrNotInstalled) {
		u.daemon, err = startChild("XDG_CONFIG_HOME="+d.dir, filepath.Join(d.Programs, "holdfastd"))
		if err != nil {
			return fmt.Errorf("no daemon is installed, and none can be started: %w", err)
		}
		global, err = u.awaitDaemon(ctx)
	}
	if err != nil {
		return err
	}
	if u.daemon == nil {
		d.say(good, "daemon", "holdfastd %s answers on the session bus", global.Version)
	} else {
		d.say(good, "daemon", "holdfastd %s, started for the demo, answers on the session bus", global.Version)
	}
	err = client.AddTunnel(ctx, u.name, text)
	if errors.Is(err, listing.ErrTunnelExists) {
		u.name = "demo-" + strconv.Itoa(os.Getpid()) // somebody's own tunnel is called demo; leave it alone
		err = client.AddTunnel(ctx, u.name, text)
	}
	if err != nil {
		return err
	}
	u.added = true
	t, err := client.Tunnel(ctx, u.name)
	if err != nil {
		return err
	}
	d.say(good, "tunnel file", "%s", t.FilePath)
	d.quote(text)
	if err := client.Start(ctx, u.name); err != nil {
		return err
	}
	d.say(wait, "unit", "%s", tunnelfile.ServiceName(u.name))
	return nil
}

// awaitDaemon returns once the daemon answers, or has ended.
func (u *unit) awaitDaemon(ctx context.Context) (listing.Global, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-u.daemon.ended
		cancel()
	}()
	snapshot, err := u.client.Wait(ctx, func(s dbusapi.Snapshot) bool { return s.Running })
	if err == nil {
		return snapshot.Global, nil
	}
	select {
	case <-u.daemon.ended:
		return snapshot.Global, u.daemon.failure()
	default:
		return snapshot.Global, fmt.Errorf("holdfastd does not answer: %w", errors.Join(err, snapshot.Err))
	}
}

func (u *unit) await(ctx context.Context, states ...tunnelfile.State) (string, error) {
	var last listing.Tunnel
	_, err := u.client.Wait(ctx, func(s dbusapi.Snapshot) bool {
		last, _ = s.Tunnel(u.name)
		return slices.Contains(states, last.State) || last.State == tunnelfile.Blocked || last.State == tunnelfile.Failed
	})
	line := last.Line().String()
	if err == nil && !slices.Contains(states, last.State) {
		err = errors.New("the tunnel gave up")
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s (journalctl --user -u %s says more)", err, line, tunnelfile.ServiceName(u.name))
	}
	return line, nil
}

func (u *unit) describe(ctx context.Context) string {
	// The exit status reflects the unit's state, so ignore it and use the output.
	out, _ := exec.CommandContext(ctx, "systemctl", "--user", "--no-pager", "--full", "--lines=0", "status", tunnelfile.ServiceName(u.name)).CombinedOutput()
	return "$ systemctl --user status " + tunnelfile.ServiceName(u.name) + "\n" + string(out)
}

func (u *unit) kill(ctx context.Context) (pid int, ok bool, err error) {
	out, err := exec.CommandContext(ctx, "systemctl", "--user", "show", "--property=MainPID", "--value", tunnelfile.ServiceName(u.name)).Output()
	if err != nil {
		return 0, false, err
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || pid <= 0 {
		return 0, false, fmt.Errorf("%s has no process", tunnelfile.ServiceName(u.name))
	}
	return pid, true, syscall.Kill(pid, syscall.SIGKILL)
}

func (u *unit) remove(ctx context.Context) error {
	var errs []error
	if u.added {
		errs = append(errs, u.client.RemoveTunnel(ctx, u.name), u.awaitGone(ctx))
	}
	u.client.Close()
	if u.daemon != nil {
		errs = append(errs, u.daemon.stop(ctx))
	}
	return errors.Join(errs...)
}

// awaitGone returns once systemd has stopped both of the tunnel's units.
func (u *unit) awaitGone(ctx context.Context) error {
	units := []string{tunnelfile.ServiceName(u.name), tunnelfile.SocketName(u.name)}
	// stop waits for a stop in progress. It fails for a unit that is gone, which is fine here.
	exec.CommandContext(ctx, "systemctl", append([]string{"--user", "stop"}, units...)...).Run()
	out, _ := exec.CommandContext(ctx, "systemctl", append([]string{"--user", "is-active"}, units...)...).Output()
	for state := range strings.FieldsSeq(string(out)) {
		if state != "inactive" && state != "unknown" {
			return advice.Error{Err: fmt.Errorf("a unit of the demo is still %s", state), Hint: "systemctl --user status " + strings.Join(units, " ") + " says why"}
		}
	}
	return nil
}
