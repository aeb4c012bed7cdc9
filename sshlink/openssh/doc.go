// Package openssh is the link through the system's ssh as a ControlMaster: it logs in, its
// questions come here by SSH_ASKPASS, and its channels are taken over by its control socket.
//
// What ssh says of a failure is read here, and nowhere else, so that its errors have the same
// reasons, and as far as they go the same words, as those of the native transport. It knows
// nothing of that one.
package openssh
