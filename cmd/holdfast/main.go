// Command holdfast is the command line.
package main

import (
	"os"

	"github.com/holdfast/holdfast/cli"
	"github.com/holdfast/holdfast/internal/program"
)

func main() {
	os.Exit(cli.Main(program.Version(), os.Args[1:]))
}
