// Package hostkeys is who the server is to us: known_hosts files, KnownHostsCommand, revoked
// keys, what is recorded, and which further keys of a server are learned.
//
// It checks a key that somebody shows. It makes no connection.
package hostkeys
