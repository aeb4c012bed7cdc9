// Package bench compares holdfast-tunnel with ssh and autossh, side by side on this
// machine: throughput, a page of small connections, idle memory, and what a black hole
// does to each. Everything is real: the programs, the server, the sockets; only delay
// and silence come from the testbed's proxy.
//
// The programs take turns, round by round, so that whatever else the machine does
// falls on all of them; what is printed are medians, and ratios to ssh with its
// defaults.
//
//	go test -tags bench -count=1 -v -timeout 30m ./testbed/bench
//
// runs it all; -run takes a part, and -rounds and -size (MiB) after -args make it
// longer or shorter.
package bench
