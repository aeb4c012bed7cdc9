// Package sshlink goes from a destination to an authenticated SSH connection:
// what ssh_config(5) resolves to, addresses, proxies, host keys, authentication.
//
// It does not retry, and knows nothing of forwards: it hands out a Link and
// errors that say by behaviour what kind they are (Denied, Distrusted, Mistaken, TurnedAway).
package sshlink
