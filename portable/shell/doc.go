// Package shell reads the simple commands of a shell script: their words, and the values of their
// variables as far as the script shows them.
//
// It runs nothing, and knows neither ssh nor tunnels.
package shell
