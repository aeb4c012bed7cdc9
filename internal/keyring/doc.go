// Package keyring keeps what a person wanted remembered: passphrases and passwords, in the
// desktop's keyring (the Secret Service, org.freedesktop.secrets).
//
// It asks a person nothing and decides nothing: who asked the person offers, and who needs an
// answer looks here first. No call takes longer than Time.
package keyring
