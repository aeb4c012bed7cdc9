// Package text writes numbers, times, paths and the words of peers for people.
//
// Text from outside, such as a server's words, goes through [FromPeer] where it comes in.
// The package imports nothing of ours and knows nothing of tunnels.
package text
