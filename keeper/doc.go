// Package keeper keeps a link up: connect, watch, lose, wait, connect again.
// It decides how long to wait and when to stop trying, from the class of each
// error, and says the state in one word.
//
// It does not know what a forward is, nor what SSH is.
package keeper
