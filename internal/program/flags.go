package program

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// Misuse is the exit status for a wrong command line.
const Misuse = 2

// Parse reads the command line of the program that the flags are named after. ended says that the
// program must end with status: either usage was asked for, and is on standard output, or the
// command line is wrong, and standard error says why.
func Parse(flags *flag.FlagSet, usage string, args []string) (status int, ended bool) {
	flags.SetOutput(os.Stderr)
	flags.Usage = func() {} // usage has more to say than the list of flags
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
		return 0, true
	case err != nil:
		fmt.Fprint(os.Stderr, usage)
		return Misuse, true
	}
	return 0, false
}

// Misused writes to standard error what is wrong with a command line, and returns Misuse.
func Misused(flags *flag.FlagSet, usage, complaint string) int {
	fmt.Fprintf(os.Stderr, "%s: %s\n%s", flags.Name(), complaint, usage)
	return Misuse
}
