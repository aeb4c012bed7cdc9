// Package dbusapi is the D-Bus contract: the XML, a server that answers from a manager, a client,
// and the names of errors.
//
// The XML file in this folder is the contract: it is installed, embedded and returned by
// Introspect, and a test compares it with the Go types. Change it first.
//
// Package dbusapi decides nothing and keeps no state: the server computes its answers from its
// Backend, and Serve runs in its caller's goroutine.
package dbusapi
