package design

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	usualFiles = 1024    // systemd's own soft limit, within which it hands over listeners
	spareFiles = 256     // for links, channels, the journal
	maxFiles   = 1 << 19 // systemd's own hard limit, up to which the worker raises its own
)

// files is how many files the worker needs to be started with all its listeners.
func (u *Units) files() int { return len(u.Listen) + spareFiles }

// checkFiles finds that a limit in [Service] is too low for the listeners: systemd would say
// "exit status 202/FDS".
func (u *Units) checkFiles(t tunnelfile.Tunnel) tunnelfile.Problems {
	for _, s := range t.Service {
		soft, _, _ := strings.Cut(s.Value, ":")
		if limit, err := strconv.Atoi(soft); s.Key == "LimitNOFILE" && err == nil && limit < len(u.Listen)+16 {
			return tunnelfile.Problems{{Path: s.Path, Line: s.Line, Key: s.Key,
				Message: fmt.Sprintf("%d files are too few for the %d addresses that the tunnel listens on: at least %d", limit, len(u.Listen), u.files())}}
		}
	}
	return nil
}
