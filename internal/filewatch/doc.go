// Package filewatch notices when files may have changed: files in a folder, targets of links, and
// every link on the way to them. It does not read them.
package filewatch
