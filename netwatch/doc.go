// Package netwatch tells what the network is like: one Network snapshot, made anew at
// each hint that something changed, and one stream of the snapshots that differ; and
// when the machine goes to sleep and wakes up.
//
// It asks, in this order, NetworkManager (which may be restarted, stopped or missing),
// systemd-networkd, and the kernel by rtnetlink(7); the addresses always come from the
// kernel. Sleep is logind's to tell. No bus at all is no error.
//
// Signals are hints: what they carry is not used, the state is read again and compared.
// While nothing happens nothing runs here, no timer either.
//
// It acts on nothing, and knows of tunnels only the rules that name networks.
package netwatch
