package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/report"
	"github.com/holdfast/holdfast/tunnelfile"
)

// process is the demo's tunnel as in a container: one holdfast-tunnel as a child process, without a daemon.
type process struct {
	*child
	socket string // its report socket
}

// raiseProcess writes the tunnel file and starts holdfast-tunnel with it.
func (d *demo) raiseProcess(text string) error {
	file := filepath.Join(d.dir, "demo.tunnel")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	d.say(good, "tunnel file", "%s", file)
	d.quote(text)
	c, err := startChild("XDG_RUNTIME_DIR="+d.dir, filepath.Join(d.Programs, tunnelfile.Program), file)
	if err != nil {
		return err
	}
	d.tunnel = &process{c, tunnelfile.ReportSocket(filepath.Join(d.dir, tunnelfile.RuntimeDirName), "demo")}
	d.say(wait, "process", "holdfast-tunnel %s", file)
	return nil
}

func (p *process) await(ctx context.Context, states ...tunnelfile.State) (string, error) {
	// The report socket announces no changes, so poll it.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		now, err := report.Read(ctx, p.socket)
		if err == nil && slices.Contains(states, now.State) {
			return now.Line().String(), nil
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), err)
		case <-p.ended:
			return "", p.failure()
		case <-tick.C:
		}
	}
}

func (p *process) describe(ctx context.Context) string {
	pid := fmt.Sprint(p.Process.Pid)
	out, err := exec.CommandContext(ctx, "ps", "-o", "pid,rss,etime,args", "-p", pid).Output()
	if err != nil {
		return "process " + pid
	}
	return "$ ps -p " + pid + "\n" + strings.TrimSpace(string(out))
}

func (p *process) kill(context.Context) (int, bool, error) { return 0, false, nil }

func (p *process) remove(ctx context.Context) error { return p.stop(ctx) }
