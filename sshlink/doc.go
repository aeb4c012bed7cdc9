// Package sshlink goes from a destination to an authenticated SSH connection, a [Link]. There are
// two ways to make one, [native] and [openssh]. The package chooses, and its users need not know
// which way was chosen. ssh_config(5), host keys and logging in are in packages below it.
//
// It does not retry, and knows nothing of forwards. Its errors carry a fault.Reason.
package sshlink
