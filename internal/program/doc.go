// Package program is what all our programs have in common: flags, log and version.
//
// It imports nothing of ours, and knows nothing of tunnels.
package program
