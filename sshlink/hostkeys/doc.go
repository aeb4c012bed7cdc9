// Package hostkeys decides whether a server is the right one: known_hosts files, KnownHostsCommand,
// revoked keys, which keys are recorded, and which further keys of a server are learned.
//
// It checks keys that it is given. It makes no connection.
package hostkeys
