package terminal

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// setEcho turns the terminal's echo on or off. It is off while lines are rewritten, because typed
// characters would appear in them. The terminal keeps what is typed for the shell. p.mu is locked.
func (p *Printer) setEcho(on bool) {
	if on == !p.hidden {
		return
	}
	tty := int(p.err.Fd())
	if group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP); !on && (err != nil || group != unix.Getpgrp()) {
		return // in the background the terminal belongs to another job
	}
	settings, err := unix.IoctlGetTermios(tty, unix.TCGETS)
	if err != nil || !on && settings.Lflag&unix.ECHO == 0 {
		return // the terminal is gone, or echo is off already
	}
	p.watchSignals.Do(func() { go p.giveBack(deadlySignals()) })
	signal.Ignore(syscall.SIGTTOU) // the process may be in the background by now
	defer signal.Reset(syscall.SIGTTOU)
	settings.Lflag ^= unix.ECHO
	if unix.IoctlSetTermios(tty, unix.TCSETS, settings) == nil {
		p.hidden = !on
	}
}

// deadlySignals delivers the signals that stop or end the program at once, except ignored ones.
func deadlySignals() <-chan os.Signal {
	signals := make(chan os.Signal, 4)
	for _, s := range []os.Signal{syscall.SIGTSTP, syscall.SIGQUIT, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}

// giveBack restores the terminal before such a signal takes effect. After SIGCONT the next Progress
// turns echo off again. It runs in its own goroutine until the program ends.
func (p *Printer) giveBack(signals <-chan os.Signal) {
	for s := range signals {
		p.EndProgress()
		if s == syscall.SIGTSTP {
			StopHere()
			continue
		}
		signal.Reset(s)
		_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
	}
}

// StopHere stops this program as Ctrl-Z does. It returns when the program is continued.
func StopHere() {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-resumed // this thread may run on for a moment before the whole process stops
}
