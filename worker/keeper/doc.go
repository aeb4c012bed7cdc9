// Package keeper keeps a link up: it connects, watches the link, and connects again after a loss. The
// class of each error decides how long it waits and when it stops trying.
//
// One goroutine, [Keeper.Run], owns everything. Attempts and the watchers of links run in other
// goroutines, which send it functions. Pure functions decide about times: [Policy.Delay] for the next
// attempt, and Policy.judge for a silent link.
//
// The package does not know what a forward is, nor what SSH is.
package keeper
