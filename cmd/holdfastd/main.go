// Command holdfastd keeps tunnel files, systemd units and the network in step, and answers on D-Bus. It
// carries no tunnel data: tunnels go on without it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/program"
	"github.com/holdfast/holdfast/manager"
	"github.com/holdfast/holdfast/netwatch"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// connectTime is how long the bus and systemd may take to answer at the start.
const connectTime = 20 * time.Second

const usage = `Usage: holdfastd [OPTION]

Keeps tunnel files, systemd units and the network in step, and answers on D-Bus, until it
is told to end. The tunnels live on without it.

  --system   serve the system's tunnels, on the system bus
  --version  print the version and exit
  -v         log more
  --help     print this

Exit status: 0 told to end; 1 the bus or systemd went away, or something else failed; 2 misuse.
`

func main() {
	flags := flag.NewFlagSet("holdfastd", flag.ContinueOnError)
	system := flags.Bool("system", false, "")
	version := flags.Bool("version", false, "")
	verbose := flags.Bool("v", false, "")
	if status, ended := program.Parse(flags, usage, os.Args[1:]); ended {
		os.Exit(status)
	}
	if *version {
		fmt.Println("holdfastd", program.Version())
		return
	}
	if flags.NArg() > 0 {
		os.Exit(program.Misused(flags, usage, fmt.Sprintf("unexpected argument %q", flags.Arg(0))))
	}
	log := program.Log(*verbose)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *system, log); err != nil {
		log.Error(err.Error())
		os.Exit(1)
	}
}

// run serves until the context ends and then returns nil. It returns an error if the bus or systemd goes away.
func run(ctx context.Context, system bool, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	scope, dirs, runtimeDir := systemdctl.User, tunnelfile.UserDirs(os.Getenv), tunnelfile.RuntimeDir(os.Getenv)
	if system {
		scope, dirs, runtimeDir = systemdctl.System, tunnelfile.SystemDirs(), tunnelfile.RuntimeDir(func(string) string { return "" })
	}
	settings, err := tunnelfile.LoadDaemon(tunnelfile.DaemonFile)
	if err != nil {
		log.Error("a setting of the daemon is not in force", "error", err)
	}
	host, err := manager.ThisHost(scope)
	if err != nil {
		return err
	}
	connecting, connected := context.WithTimeout(ctx, connectTime)
	defer connected()
	units, err := systemdctl.Connect(connecting, scope)
	if err != nil {
		return err
	}
	defer units.Close()
	bus, err := dbusapi.Connect(connecting, system)
	if err != nil {
		return err
	}
	defer bus.Close()

	network := netwatch.Watch(ctx, netwatch.Config{Log: log})
	m := manager.New(manager.Config{
		Units: units, Networks: network.Networks(), Sleeps: network.Sleeps(),
		Dirs: dirs, RuntimeDir: runtimeDir,
		Host: host, Version: program.Version(), Log: log,
		RollingRestart: settings.RollingRestart,
	})
	// Wait for our bus name before changing anything, because another daemon may still be running.
	owned, err := nameOwned(connecting, bus)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- dbusapi.Serve(ctx, bus, system, m) }()
	select {
	case err := <-served:
		return err
	case <-owned:
	}
	managed := make(chan error, 1)
	go func() { managed <- m.Run(ctx) }()
	select {
	case err = <-served:
		cancel()
		return errors.Join(err, <-managed)
	case err = <-managed:
		cancel()
		return errors.Join(err, <-served)
	}
}
