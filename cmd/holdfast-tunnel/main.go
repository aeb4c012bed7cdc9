// Command holdfast-tunnel runs one tunnel in the foreground: under systemd, in a container, or by hand.
// Package worker does the work.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"github.com/holdfast/holdfast/checkup"
	"github.com/holdfast/holdfast/internal/asking"
	_ "github.com/holdfast/holdfast/internal/gomaxprocs" // a hundred tunnels run on one machine
	"github.com/holdfast/holdfast/internal/program"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker"
	"github.com/holdfast/holdfast/worker/answers"
)

const usage = `Usage: holdfast-tunnel [OPTION] FILE.tunnel

Runs one tunnel until it is asked to stop.

  --once           end with the first attempt that fails or connection that is lost
  --check          say what is wrong with the file and with what ssh_config makes of it;
                   with --login also log in once, and say what would keep the tunnel from
                   staying up, here and on the server; with --json for scripts
  --print-config   print the settings in force, and where they come from; with --all
                   also those that mean nothing to a tunnel, with --json for scripts, with --tabs
                   with tabs between the columns
  --listen ADDR    serve /livez, /readyz, /metrics and /status at ADDR, host:port or :port
  --verbose        log more
  --version        print the version
  --help           print this

Signals: TERM ends it, HUP reads the file again, USR1 says that the network may have
changed, USR2 that it is gone, RTMIN+1 asks for a new connection, RTMIN+2 hands over to
a new process.

Exit status: 0 asked to stop, or idle; 1 something that may pass; 2 misuse; 75 with
--once, something that may pass; 76 the host key is unknown or has changed; 77 the
server refused every way to authenticate; 78 the file, or what ssh_config makes of it,
is wrong.
`

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	signals := worker.Signals()
	flags := flag.NewFlagSet(tunnelfile.Program, flag.ContinueOnError)
	once := flags.Bool("once", false, "")
	check := flags.Bool("check", false, "")
	print := flags.Bool("print-config", false, "")
	all := flags.Bool("all", false, "")
	login := flags.Bool("login", false, "")
	asJSON := flags.Bool("json", false, "")
	tabs := flags.Bool("tabs", false, "")
	listen := flags.String("listen", "", "")
	verbose := flags.Bool("verbose", false, "")
	version := flags.Bool("version", false, "")
	if status, ended := program.Parse(flags, usage, args); ended {
		return status
	}
	switch {
	case *version:
		fmt.Println(tunnelfile.Program, program.Version())
		return 0
	case flags.NArg() != 1:
		return program.Misused(flags, usage, "one tunnel file is wanted")
	case *check && *print:
		return program.Misused(flags, usage, "--check or --print-config, not both")
	case (*check || *print) && (*once || *listen != ""):
		return program.Misused(flags, usage, "--once and --listen are for a tunnel that runs")
	case *login && !*check:
		return program.Misused(flags, usage, "--login goes with --check")
	case (*all || *tabs) && !*print:
		return program.Misused(flags, usage, "--all and --tabs go with --print-config")
	case *asJSON && !*print && !(*check && *login):
		return program.Misused(flags, usage, "--json goes with --print-config, or with --check --login")
	}

	if *check || *print {
		signal.Reset() // no tunnel runs, so the signals have their default effect
	}
	path := flags.Arg(0)
	log := program.Log(*verbose).With("tunnel", tunnelName(path))
	ctx := context.Background()
	var err error
	switch {
	case *check && *login:
		return checkLogin(ctx, path, *asJSON)
	case *check:
		err = worker.Check(ctx, path, log)
	case *print:
		err = printConfig(ctx, path, *all, *asJSON, *tabs)
	default:
		worker.Tune()
		err = worker.Run(ctx, worker.Options{Path: path, Listen: *listen, Once: *once, Ask: answers.New(log), Log: log, Signals: signals, Fatal: func(reason string) {
			log.Warn(reason)
			os.Exit(1)
		}})
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	status := worker.ExitStatus(err)
	if status == 1 && *once {
		status = tunnelfile.ExitTemporary
	}
	return int(status)
}

// checkLogin prints what would keep the tunnel from staying up. The exit status is 1 if a finding is a problem.
func checkLogin(ctx context.Context, path string, asJSON bool) int {
	silent := slog.New(slog.DiscardHandler)
	findings := checkup.Tunnel(ctx, checkup.Options{Path: path, Log: silent, Ask: func(t tunnelfile.Tunnel) asking.Asker {
		return answers.Unattended(t.Service, silent)
	}})
	status := 0
	for _, f := range findings {
		if f.Severity == tunnelfile.Trouble {
			status = 1
		}
		if !asJSON {
			fmt.Printf("%s: %s: %s\n", f.Severity, f.Subject, f.Message)
			if f.Mend != "" {
				fmt.Printf("  mend: %s\n", f.Mend)
			}
		}
	}
	if asJSON {
		if err := printJSON(findings); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// printConfig prints the settings in force. It needs no log, because the output has the same information.
func printConfig(ctx context.Context, path string, all, asJSON, tabs bool) error {
	e, err := worker.Explain(ctx, path, slog.New(slog.DiscardHandler))
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(e)
	}
	return e.Print(os.Stdout, all, tabs)
}

func printJSON(v any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// tunnelName is the tunnel's name in the log.
func tunnelName(path string) string {
	if name, ok := tunnelfile.NameOfFile(path); ok {
		return name
	}
	return strings.TrimSuffix(path, tunnelfile.Suffix)
}
