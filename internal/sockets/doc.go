// Package sockets is what there is to know of listening sockets on this machine: the
// addresses that a forward listens on, whether they are free, and who has one that is not.
// It answers by what is so now, and leaves everything as it is.
package sockets
