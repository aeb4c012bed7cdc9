// Package keyring stores passphrases and passwords that a person wants remembered, in the desktop's
// keyring (the Secret Service, org.freedesktop.secrets).
//
// It asks nobody and decides nothing: the program that asks a person offers to remember the answer,
// and a program that needs an answer looks here first. No call takes longer than Time.
package keyring
