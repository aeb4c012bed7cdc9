// Package wire has what the links of both transports share: the watched connection below SSH,
// channels, addresses, errors, and [Base], which ends a link when its connection ends.
//
// It does not know how a link is made, nor which transport it uses.
package wire
