// Package forward serves a tunnel's forwards over the links that it is given: listeners, channels, SOCKS,
// pending connections while there is no link, and counters.
//
// It does not know how a link is made, nor when to connect again.
package forward
