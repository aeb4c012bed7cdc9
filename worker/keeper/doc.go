// Package keeper keeps a link up: connect, watch, lose, wait, connect again.
// It decides how long to wait and when to stop trying, from the class of each
// error, and says the state in one word.
//
// One goroutine, [Keeper.Run], owns everything; attempts and the watchers of the
// links run beside it and send it functions. What is decided by the clock is
// decided by pure functions: [Policy.Delay] for the next attempt, and
// Policy.judge for a link that is silent.
//
// It does not know what a forward is, nor what SSH is.
package keeper
