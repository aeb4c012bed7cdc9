// Package worker is one running tunnel. It connects a tunnel file, keepers, their SSH links and
// a set of forwards. It takes orders by signals, and reports by sd_notify(3) and the statistics
// socket.
//
// One goroutine, that of Run, owns the parts of the tunnel. The keepers, the forwards and the
// statistics socket have goroutines of their own, which tell it that something changed.
//
// It does not use D-Bus and knows no other tunnel.
package worker
