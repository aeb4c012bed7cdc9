// Package text is how numbers, times, paths and other people's words are written for people,
// each in one place.
//
// What comes from outside, such as a server's words, goes through [FromPeer] where it comes in.
// The package imports nothing of ours and knows nothing of tunnels.
package text
