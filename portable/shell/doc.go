// Package shell reads the simple commands of a shell's text: their words, and what the text says of
// their variables.
//
// It runs nothing, and knows neither ssh nor tunnels.
package shell
