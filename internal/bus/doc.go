// Package bus opens every connection to a D-Bus message bus. It decides which signals are believed
// and which calls are served.
//
// Anybody on a bus may send a signal to a connection, with any name, about anything, and no
// match rule keeps it away. So a signal counts only if it comes from the connection that owns
// the name the signal is about, and only if somebody here listens to it. All others are
// dropped before they are decoded. A signal that counts is still a hint: read the state again.
//
// Calls are bounded before they are decoded too: in their size, in the types that they carry,
// and in how many of one sender, and of one user, are under way. See [Conn.Export].
//
// The package does not know what signals and calls mean.
package bus
