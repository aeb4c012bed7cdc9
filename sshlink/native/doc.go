// Package native is the link over golang.org/x/crypto/ssh: addresses, proxies and hosts in
// between, the handshake, and channels and listeners on the connection.
//
// It makes one attempt and does not retry. It knows nothing of the other transport.
package native
