// Package hostile is a malicious SSH server, and the tests that attack the real holdfast-tunnel
// with it, over both transports.
//
// The server speaks the protocol itself, with one algorithm of each kind, because no library's
// server sends every packet at every step: a [Session] can send anything, before, during and
// after the key exchange and the login. The honest half of it, [Session.Login] and [Session.Serve],
// brings a tunnel up. An attack does the rest.
//
// It is imported by tests only.
package hostile
