package tunnelfile

import "syscall"

// State is what a tunnel is doing, in one word; the first word of its unit's StatusText.
type State string

// The states of a tunnel.
const (
	Inactive   State = "inactive"
	Listening  State = "listening"  // on demand, no SSH connection
	Offline    State = "offline"    // waiting for the network
	Connecting State = "connecting" // first try, or a new one under way
	Up         State = "up"
	Degraded   State = "degraded" // connected, but a forward, a pooled connection or a check is not well
	Retrying   State = "retrying" // waiting for the next try
	Blocked    State = "blocked"  // needs a person
	Failed     State = "failed"   // its unit gave up
	Stopping   State = "stopping"
)

// ExitStatus is how holdfast-tunnel ends. Numbers above 64 follow sysexits(3) where it has a word.
type ExitStatus int

// Exit statuses of holdfast-tunnel.
const (
	ExitOK         ExitStatus = 0  // asked to stop, or idle
	ExitTemporary  ExitStatus = 75 // only with --once: trying again may help
	ExitDistrusted ExitStatus = 76 // host key unknown with nobody to ask, or changed
	ExitDenied     ExitStatus = 77 // the server refused every way to authenticate
	ExitMistaken   ExitStatus = 78 // the tunnel file or what ssh_config resolves to is wrong
)

// Signals to holdfast-tunnel, besides SIGTERM.
const (
	SignalReload    = syscall.SIGHUP     // read the file again, apply it
	SignalProbe     = syscall.SIGUSR1    // the network may have changed: probe what is up, retry at once what is not
	SignalSuspend   = syscall.SIGUSR2    // the network is gone: stop trying until SignalProbe
	SignalReconnect = syscall.Signal(35) // SIGRTMIN+1: a new SSH connection, made before the old one is closed
	SignalHandOver  = syscall.Signal(36) // SIGRTMIN+2: a new process, of the program that is installed now, takes over
)
