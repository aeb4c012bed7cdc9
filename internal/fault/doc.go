// Package fault names what can go wrong with a tunnel: a [Reason], which is a word that
// programs act on, the [Class] that follows from it, and an [Error] that carries both beside
// a sentence for people.
//
// A Reason is made where an error occurs, and is never parsed from a sentence. Hints, buttons, exit
// statuses, the delay before the next try and history depend on it. The words are part of the public
// surface: new ones may come, none is renamed or removed.
//
// The package imports nothing of ours and decides nothing.
package fault
