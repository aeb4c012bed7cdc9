package keeper

import (
	"errors"
	"io"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// How alike the times must be after which a server has closed two links in a row. sshd counts whole seconds,
// and looks at its clock when something wakes it.
const unusedTolerance = 2 * time.Second

// nameUnusedTimeout adds UnusedConnectionTimeout of sshd_config(5) to why, the reason why a link ended, if that
// must be the cause: the server closed two links in a row without a word, after no channel was open for the same
// time. unused is that time, before is that of the link before; 0 if a channel was open or something else ended
// the link. now is the unused time to remember.
func nameUnusedTimeout(why error, unused, before time.Duration) (now time.Duration, named error) {
	if !errors.Is(why, io.EOF) || unused < unusedTolerance/2 {
		return 0, why
	}
	if before == 0 || (unused-before).Abs() > unusedTolerance {
		return unused, why
	}
	return unused, fault.Because(fault.Lost, why, "%s, because no channel was open for %s (UnusedConnectionTimeout in its sshd_config)",
		why, text.Span(unused.Round(time.Second)))
}
