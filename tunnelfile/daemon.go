package tunnelfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// DaemonFile has the settings of the daemons of this machine.
const DaemonFile = "/etc/holdfast/holdfast.conf"

// Daemon is the settings of a daemon.
type Daemon struct {
	RollingRestart bool // hand tunnels of another version over to the program that is installed
}

// LoadDaemon reads the settings of the daemon. A missing file is no error. A mistake in the file is
// an error, and the other settings count.
func LoadDaemon(path string) (Daemon, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Daemon{}, nil
	case err != nil:
		return Daemon{}, err
	}
	return parseDaemon(path, string(text))
}

func parseDaemon(path, text string) (Daemon, error) {
	var d Daemon
	document, problems := scan(text)
	for _, e := range document.entries {
		why := ""
		switch {
		case e.section != "Daemon":
			why = fmt.Sprintf("unknown section [%s]; there is [Daemon]", e.section)
		case e.key != "RollingRestart":
			why = "unknown key; there is RollingRestart="
		default:
			d.RollingRestart, why = yesOrNo(strings.TrimSpace(e.value))
		}
		if why != "" {
			problems = append(problems, Problem{Line: e.lineNumber(), Key: e.key, Message: why})
		}
	}
	for i := range problems {
		problems[i].Path = path
	}
	if len(problems) > 0 {
		return d, problems
	}
	return d, nil
}
