// Package forward serves a tunnel's forwards over whatever link it is given:
// listeners, channels, SOCKS, connections that wait while there is no link, counters.
//
// It does not know how a link is made, nor when to try again.
package forward
