// Package netwatch tells what the network is like: one Network snapshot and one
// stream of hints to look at it again, whatever the source.
//
// It acts on nothing.
package netwatch
