// Package dbusapi is the D-Bus contract: the XML, a server that answers from a
// manager, a client, and the error names.
//
// It keeps no state, no mutexes and no goroutines of its own.
package dbusapi
