// Package netwatch watches the network and the sleep of this machine. It makes a Network snapshot
// at each hint that something changed, and hands on those that differ from the one before.
//
// It asks, in this order, NetworkManager (which may be restarted, stopped or missing),
// systemd-networkd, and the kernel by rtnetlink(7). The addresses always come from the kernel.
// logind announces sleep. A machine without a system bus is no error.
//
// Signals are hints: their content is not used, the state is read again and compared. While
// nothing happens, nothing runs here, not even a timer.
//
// It acts on nothing, and knows of tunnels only the rules that name networks.
package netwatch
