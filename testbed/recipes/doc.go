// Package recipes runs the pages of docs/recipes, from their own text.
//
// A block called "run" is run, one called "file" is written to the path in its first line.
// Its tests are tagged "testbed"; testbed/run-tests runs them.
package recipes
