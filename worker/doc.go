// Package worker is one running tunnel: it joins a tunnel file, keepers, their SSH
// links and a set of forwards, and speaks for them: signals in, sd_notify(3) and
// the statistics socket out.
//
// One goroutine, that of Run, owns what the tunnel is made of; the keepers, the
// forwards and the statistics socket have their own, and tell it that something
// changed.
//
// It speaks no D-Bus and knows no other tunnel.
package worker
