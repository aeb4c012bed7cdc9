// Package gomaxprocs sets GOMAXPROCS to 1 for a program that imports it, before other packages
// allocate memory. A processor of Go has caches, and when it is taken away later, they fill lists
// that stay.
//
// It imports nothing but runtime, so it is initialized before all packages whose path is behind its
// own, or that import one of those. It does not read the environment, which would take such a
// package.
package gomaxprocs

import "runtime"

func init() { runtime.GOMAXPROCS(1) }
