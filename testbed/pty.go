package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal, pty(7), with a program at its end.
type Terminal struct {
	master, slave *os.File

	mu    sync.Mutex
	shown strings.Builder
	ended chan struct{} // closed when nobody has the terminal any more
}

// NewTerminal makes a terminal of so many columns and rows.
func NewTerminal(t testing.TB, columns, rows int) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	p := &Terminal{master: master, slave: slave, ended: make(chan struct{})}
	p.Resize(t, columns, rows)
	go func() {
		defer close(p.ended)
		buffer := make([]byte, 1<<16)
		for {
			n, err := master.Read(buffer)
			p.mu.Lock()
			p.shown.Write(buffer[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

// Start starts a program with the terminal as its controlling terminal.
func (p *Terminal) Start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// Output runs a program with the terminal as its controlling terminal, once, and returns all that
// it showed.
func (p *Terminal) Output(t testing.TB, cmd *exec.Cmd) (shown string, err error) {
	t.Helper()
	p.Start(t, cmd)
	p.slave.Close()
	err = cmd.Wait()
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String(), err
}

// Type types keys.
func (p *Terminal) Type(t testing.TB, keys string) {
	t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// Resize makes the terminal larger or smaller.
func (p *Terminal) Resize(t testing.TB, columns, rows int) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
}

// Settings returns the terminal's settings, which stty(1) -a shows.
func (p *Terminal) Settings(t testing.TB) unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *settings
}

// Typed is how many bytes of whole lines the terminal has taken and nobody has read, see FIONREAD of ioctl_tty(2).
// The kernel takes what was typed a moment after it was typed.
func (p *Terminal) Typed(t testing.TB) int {
	t.Helper()
	n, err := unix.IoctlGetInt(int(p.slave.Fd()), unix.TIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Shown is all that was written to the terminal.
func (p *Terminal) Shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown.String()
}
