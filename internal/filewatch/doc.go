// Package filewatch tells when files may have changed: those in a folder, and those behind
// links, with every link on the way there. It does not read them.
package filewatch
