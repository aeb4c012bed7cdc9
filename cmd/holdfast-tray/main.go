// Command holdfast-tray shows the tunnels in the desktop's notification area. It is a client of the
// daemon's D-Bus API only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/keyring"
	"github.com/holdfast/holdfast/internal/program"
	"github.com/holdfast/holdfast/tray"
	"github.com/holdfast/holdfast/tray/indicator"
)

// exitUnavailable is EX_UNAVAILABLE of sysexits.h: there is no desktop or no session bus, and a restart
// would not help.
const exitUnavailable = 69

// connectTime is how long the bus may take to answer at the start.
const connectTime = 20 * time.Second

// unseenPause limits how often a tray restarts that no panel can see.
const unseenPause = time.Second

const usage = `Usage: holdfast-tray [OPTION]

Shows the tunnels in the desktop's notification area until it is told to quit.

  --dump     print the menu as text and exit; needs no screen
  --version  print the version and exit
  -v         log more
  --help     print this

Exit status: 0 told to end, or runs already; 1 the screen or the bus went away, or something
else failed; 2 misuse; 69 there is no desktop to be shown on, or no session bus.
`

func main() {
	flags := flag.NewFlagSet("holdfast-tray", flag.ContinueOnError)
	dump := flags.Bool("dump", false, "")
	version := flags.Bool("version", false, "")
	verbose := flags.Bool("v", false, "")
	if status, ended := program.Parse(flags, usage, os.Args[1:]); ended {
		os.Exit(status)
	}
	if flags.NArg() > 0 {
		os.Exit(program.Misused(flags, usage, fmt.Sprintf("unexpected argument %q", flags.Arg(0))))
	}
	log := program.Log(*verbose)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var err error
	switch {
	case *version:
		fmt.Println("holdfast-tray", program.Version())
	case *dump:
		err = printMenu(ctx, log)
	default:
		err = run(ctx, stop, log)
	}
	if err != nil {
		log.Error(err.Error())
		if errors.Is(err, dbusapi.ErrNoBus) || errors.Is(err, errNoDesktop) {
			os.Exit(exitUnavailable)
		}
		os.Exit(1)
	}
}

// printMenu prints the menu as text.
func printMenu(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	client, err := dbusapi.Dial(ctx, false)
	if err != nil {
		return err
	}
	defer client.Close()
	snapshot, err := client.Wait(ctx, func(dbusapi.Snapshot) bool { return true })
	if err != nil {
		return err
	}
	fmt.Print(tray.Dump(tray.Now(snapshot, tray.DefaultPaths(os.Getenv), log)))
	return nil
}

// garbage is the GOGC value of this mostly idle process. With Go's default of 100, a menu that changed
// a few hundred times needs 2 MB more.
const garbage = 25

// run shows the tray until it is asked to end.
func run(ctx context.Context, stop context.CancelFunc, log *slog.Logger) error {
	debug.SetGCPercent(garbage)
	runtime.GOMAXPROCS(1) // each further processor would have caches that lie idle
	environment, err := prepare()
	if err != nil {
		return err
	}
	client, bus, first, err := connect(ctx)
	if err != nil {
		return err
	}
	if !first {
		log.Info("the tray runs already")
		return nil
	}
	removeIconFiles()
	app := tray.NewApp()
	app.Client = client
	app.Desktop = tray.Programs{Environment: environment}
	app.Paths = tray.DefaultPaths(os.Getenv)
	app.Notifier = tray.NewNotifier(ctx, bus, app.Paths.Notices, log)
	app.Prompter.Dialog = func() (tray.Dialog, error) { return tray.FindDialog(environment, exec.LookPath) }
	app.Prompter.Keyring, app.Prompter.Declined = keyring.SecretService{}, keyring.DefaultDeclined(os.Getenv)
	app.Command = commandLine()
	app.Log = log
	app.Quit = stop
	go followPanels(ctx, bus, app)
	go reportNoPanel(ctx, bus, app)
	ended := make(chan error, 1)
	err = indicator.Run(func(d tray.Driver) {
		app.Driver = d
		ended <- app.Run(ctx)
		indicator.Quit()
	})
	if err == nil {
		err = <-ended
	}
	stop()
	<-app.Notifier.Done()
	if (err == nil || errors.Is(err, dbusapi.ErrNoBus)) && !alive(bus) {
		return errBusGone
	}
	if errors.Is(err, indicator.ErrUnseen) {
		time.Sleep(unseenPause)
	}
	if errors.Is(err, tray.ErrFull) || errors.Is(err, indicator.ErrUnseen) {
		log.Info("beginning anew", "reason", err)
		return beginAnew(environment)
	}
	return err
}
