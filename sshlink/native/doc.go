// Package native is the link over golang.org/x/crypto/ssh: addresses, proxies, jump hosts, the
// handshake, and channels and listeners on the connection.
//
// It makes one attempt and does not retry. It does not know the openssh transport.
package native
