// Package openssh is the link through the system's ssh as a ControlMaster. ssh logs in. Its
// questions arrive here through SSH_ASKPASS, and its channels are used through its control socket.
//
// Only this package reads what ssh prints about a failure. Its errors have the same reasons as
// those of the native transport, and where possible the same words. It does not know the native
// transport.
package openssh
