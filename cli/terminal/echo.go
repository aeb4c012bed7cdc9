package terminal

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// setEcho says whether the terminal shows what is typed. While lines are written anew it does not: keys would
// stand in the middle of them. What was typed stays with the terminal, for the shell to read. The lock is held.
func (p *Printer) setEcho(on bool) {
	if on == !p.hidden {
		return
	}
	tty := int(p.err.Fd())
	if group, err := unix.IoctlGetInt(tty, unix.TIOCGPGRP); !on && (err != nil || group != unix.Getpgrp()) {
		return // in the background the terminal is somebody else's
	}
	settings, err := unix.IoctlGetTermios(tty, unix.TCGETS)
	if err != nil || !on && settings.Lflag&unix.ECHO == 0 {
		return // it is gone, or shows nothing already
	}
	p.watchSignals.Do(func() { go p.giveBack(deadlySignals()) })
	signal.Ignore(syscall.SIGTTOU) // it may have been put in the background meanwhile
	defer signal.Reset(syscall.SIGTTOU)
	settings.Lflag ^= unix.ECHO
	if unix.IoctlSetTermios(tty, unix.TCSETS, settings) == nil {
		p.hidden = !on
	}
}

// deadlySignals are told of from now on: those that stop or end the program at once, unless they are ignored.
func deadlySignals() <-chan os.Signal {
	signals := make(chan os.Signal, 4)
	for _, s := range []os.Signal{syscall.SIGTSTP, syscall.SIGQUIT, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	return signals
}

// giveBack gives the terminal back as it was before such a signal does what it does. A program that goes on takes
// it again with its next line.
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

// StopHere stops this program as Ctrl-Z does, and returns when it is continued.
func StopHere() {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-resumed // this thread may run on for a moment before all have stopped
}
