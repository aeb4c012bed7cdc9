package design

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	usualFiles = 1024    // systemd's soft limit, within which it hands listeners over
	spareFiles = 256     // for links, channels and the journal
	maxFiles   = 1 << 19 // systemd's hard limit, up to which the worker raises its soft limit
)

// files is the number of open files that the worker needs to start with all its listeners.
func (u *Units) files() int { return len(u.Listen) + spareFiles }

// checkFiles finds a limit in [Service] that is too low for the listeners. systemd would end the
// service with "exit status 202/FDS".
func (u *Units) checkFiles(t tunnelfile.Tunnel) tunnelfile.Problems {
	s := t.ServiceSetting("LimitNOFILE")
	soft, _, _ := strings.Cut(s.Value, ":")
	if limit, err := strconv.Atoi(soft); err == nil && limit < len(u.Listen)+16 {
		return tunnelfile.Problems{{Path: s.Path, Line: s.Line, Key: s.Key,
			Message: fmt.Sprintf("%d files are too few for the %d addresses that the tunnel listens on: at least %d", limit, len(u.Listen), u.files())}}
	}
	return nil
}
