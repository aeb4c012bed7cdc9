// Package sockets knows the listening sockets of this machine: the addresses that a forward listens
// on, whether they are free, and who has one that is not. It asks the kernel for each answer, and
// changes nothing.
package sockets
