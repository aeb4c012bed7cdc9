package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// child is a program that the demo has started.
type child struct {
	*exec.Cmd
	log   bytes.Buffer  // what it printed
	ended chan struct{} // closed when it has ended
}

// startChild starts a program with one more variable in its environment.
func startChild(variable, program string, args ...string) (*child, error) {
	c := &child{Cmd: exec.Command(program, args...), ended: make(chan struct{})}
	c.Env = append(os.Environ(), variable)
	c.Stdout, c.Stderr = &c.log, &c.log
	// Its own group keeps Ctrl-C away from it, because it is needed for cleaning up. It also ends if
	// the demo is killed.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := c.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.Wait()
		close(c.ended)
	}()
	return c, nil
}

// name is the name of its program.
func (c *child) name() string { return filepath.Base(c.Path) }

// failure says how it ended. Call it only after it has ended.
func (c *child) failure() error {
	return fmt.Errorf("%s ended: %v\n%s", c.name(), c.ProcessState, c.log.String())
}

// stop asks it to end and waits. When the context ends, it is killed.
func (c *child) stop(ctx context.Context) error {
	c.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		c.Process.Kill()
		return fmt.Errorf("%s did not end when asked to, and was killed", c.name())
	}
}
