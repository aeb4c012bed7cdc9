package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/internal/report"
	"github.com/holdfast/holdfast/tunnelfile"
)

// process is the demo's tunnel as in a container: one holdfast-tunnel as a child process, without a daemon.
type process struct {
	command *exec.Cmd
	socket  string // its report socket
	log     bytes.Buffer
	ended   chan struct{}
}

// raiseProcess writes the tunnel file and starts holdfast-tunnel with it.
func (d *demo) raiseProcess(text string) error {
	file := filepath.Join(d.dir, "demo.tunnel")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	d.say(good, "tunnel file", "%s", file)
	d.quote(text)
	p := &process{
		command: exec.Command(filepath.Join(d.Programs, tunnelfile.Program), file),
		socket:  tunnelfile.ReportSocket(filepath.Join(d.dir, tunnelfile.RuntimeDirName), "demo"),
		ended:   make(chan struct{}),
	}
	p.command.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+d.dir)
	p.command.Stdout, p.command.Stderr = &p.log, &p.log
	p.command.SysProcAttr = ownGroup
	if err := p.command.Start(); err != nil {
		return err
	}
	go func() {
		p.command.Wait()
		close(p.ended)
	}()
	d.tunnel = p
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
			return "", fmt.Errorf("holdfast-tunnel ended: %v\n%s", p.command.ProcessState, p.log.String())
		case <-tick.C:
		}
	}
}

func (p *process) describe(ctx context.Context) string {
	pid := fmt.Sprint(p.command.Process.Pid)
	out, err := exec.CommandContext(ctx, "ps", "-o", "pid,rss,etime,args", "-p", pid).Output()
	if err != nil {
		return "process " + pid
	}
	return "$ ps -p " + pid + "\n" + strings.TrimSpace(string(out))
}

func (p *process) kill(context.Context) (int, bool, error) { return 0, false, nil }

func (p *process) remove(ctx context.Context) error {
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		p.command.Process.Kill()
		return errors.New("holdfast-tunnel did not end when asked to, and was killed")
	}
}
