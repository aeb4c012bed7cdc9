// Package worker is one running tunnel: it joins a tunnel file, a keeper, an SSH
// link and a set of forwards, and speaks for them: signals in, sd_notify(3) and
// the statistics socket out.
//
// It speaks no D-Bus and knows no other tunnel.
package worker
