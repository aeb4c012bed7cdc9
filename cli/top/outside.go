package top

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/cli/terminal"
)

// runVerb runs this program with a verb of the command line. The verb has the whole terminal.
func (t *top) runVerb(a action) {
	var args []string
	if t.System {
		args = append(args, "--system")
	}
	args = append(args, a.verb)
	if a.name != "" {
		args = append(args, a.name)
	}
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	t.suspend(func() {
		if err := runOutside(exec.Command(program, args...)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		awaitEnter(t.Ctx)
	})
}

// runOutside gives the terminal to another program until it ends, as a shell does with a foreground
// job. Ctrl-C and Ctrl-Z go to that program. If it is stopped, this program stops too.
func runOutside(cmd *exec.Cmd) error {
	tty := int(os.Stdin.Fd())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: tty}
	signal.Ignore(syscall.SIGTTOU) // TIOCSPGRP is called from the background
	defer signal.Reset(syscall.SIGTTOU)
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Release() }()
	own, job := unix.Getpgrp(), cmd.Process.Pid
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(job, &status, unix.WUNTRACED, nil)
		if err == unix.EINTR {
			continue
		}
		_ = unix.IoctlSetPointerInt(tty, unix.TIOCSPGRP, own)
		if err != nil || !status.Stopped() {
			return err // the program has printed its own errors
		}
		terminal.StopHere()
		_ = unix.IoctlSetPointerInt(tty, unix.TIOCSPGRP, job)
		_ = unix.Kill(-job, unix.SIGCONT)
	}
}

// awaitEnter lets a person read what a program printed. It returns after Enter, or when the context
// ends, as by Ctrl-C.
func awaitEnter(ctx context.Context) {
	fmt.Fprint(os.Stderr, "\nEnter goes back to top. ")
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	}()
	select {
	case <-pressed:
	case <-ctx.Done():
	}
}
