// Package wire is what the links of both transports are made of: the watched connection below
// SSH, channels, addresses and errors, and the [Base] that ends a link when its connection does.
//
// It does not know how a link is made, nor which transport it is of.
package wire
