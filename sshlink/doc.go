// Package sshlink goes from a destination to an authenticated SSH connection, a [Link]. It chooses
// between the two ways to make one, [native] and [openssh], and nothing above it need know which
// it was. What ssh_config(5) says, host keys and logging in are packages below it.
//
// It does not retry, and knows nothing of forwards. Its errors carry a fault.Reason.
package sshlink
