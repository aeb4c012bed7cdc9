// Command holdfast is the command line.
package main

import (
	"context"
	"os"

	"github.com/holdfast/holdfast/cli"
	"github.com/holdfast/holdfast/cli/demo"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/internal/program"
)

func main() {
	os.Exit(cli.Main(session.Program{Version: program.Version(), Demo: runDemo}, os.Args[1:]))
}

func runDemo(ctx context.Context, o session.DemoOptions) error {
	return demo.Run(ctx, demo.Options{Out: os.Stdout, Color: o.Color, Foreground: o.Foreground, Programs: o.Programs})
}
