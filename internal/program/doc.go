// Package program is what all our programs have in common: how they take flags, how they log, and which
// version they say they are.
//
// It imports nothing of ours, and knows nothing of tunnels.
package program
