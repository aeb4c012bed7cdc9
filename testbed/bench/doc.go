// Package bench compares holdfast-tunnel with ssh, autossh, socat and TCP itself, side by side on
// this machine: throughput on the loopback, on long lines and on those that lose packets, a page of
// small connections, latency, memory, and what a black hole does to each. The programs, the server
// and the sockets are real. Only the line is simulated, with a TUN device in each of two network
// namespaces (see line).
//
// The programs take turns, round by round, so that other work of the machine affects all of them.
// The results are medians, their ratios to ssh with its defaults, and the lowest and the highest
// figure.
//
//	make bench
//
// runs it all, as root, and writes docs/bench. A part, while one works:
//
//	go test -tags bench -c -o /tmp/bench ./testbed/bench
//	cd testbed/bench && /tmp/bench -test.v -test.run TestBulk -rounds 3 -size 128 \
//	    -programs 'holdfast;holdfast, before' -before /tmp/holdfast-tunnel
package bench
