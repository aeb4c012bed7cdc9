// Package dbusapi is the D-Bus contract: the XML, a server that answers from a
// manager, a client, and the error names.
//
// The XML file in this folder is the contract: it is installed, embedded, served to
// who introspects, and held against the Go types by a test. Change it first.
//
// Package dbusapi decides nothing and keeps no state, no mutexes and no goroutines of
// its own: what the server tells is computed from its Backend when asked, and Serve
// runs in its caller's goroutine.
package dbusapi
