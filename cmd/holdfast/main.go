// holdfast is the command line.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/holdfast/holdfast/cli"
	"github.com/holdfast/holdfast/cli/demo"
	"github.com/holdfast/holdfast/internal/program"
)

func main() {
	os.Exit(cli.Main(cli.Program{Version: program.Version(), Demo: runDemo}, os.Args[1:]))
}

func runDemo(ctx context.Context, args []string, color bool) error {
	flags := flag.NewFlagSet("holdfast demo", flag.ExitOnError)
	foreground := flags.Bool("foreground", false, "without systemd: one holdfast-tunnel as a child process")
	programs := flags.String("programs", "", "folder of holdfastd and holdfast-tunnel")
	flags.Parse(args)
	return demo.Run(ctx, demo.Options{Out: os.Stdout, Color: color, Foreground: *foreground, Programs: *programs})
}
