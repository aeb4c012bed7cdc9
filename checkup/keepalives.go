package checkup

import (
	"slices"
	"time"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
)

// silence is how long to wait for a keepalive of the server, counted from the login. The rest of the
// examination runs meanwhile, but its traffic restarts the server's timer.
const silence = 3 * time.Second

// keepalives says whether the server notices a lost client (ClientAliveInterval). If it does not, it keeps
// the port of a RemoteForward in use for hours. keepalives waits only if there is a RemoteForward.
func (x *examination) keepalives(link sshlink.Link, since time.Time) {
	remote := slices.ContainsFunc(x.forwards.Forwards, func(f tunnelfile.Forward) bool { return f.Kind == tunnelfile.RemoteForward })
	ended := make(chan error, 1)
	go func() { ended <- link.Wait() }()
	if remote {
		select {
		case err := <-ended:
			x.Problem(tunnelfile.SubjectKeepalive, "on the server, in sshd_config: UnusedConnectionTimeout none; then systemctl reload ssh",
				"the server ended the connection while nothing ran through it: %v", err)
			return
		case <-time.After(time.Until(since.Add(silence))):
		case <-x.ctx.Done():
			return
		}
	}
	watched := text.Span(time.Since(since).Round(100 * time.Millisecond))
	const mend = "on the server, in sshd_config: ClientAliveInterval 15; then systemctl reload ssh"
	switch asked := link.Info().Asked; {
	case asked > 0:
		x.OK(tunnelfile.SubjectKeepalive, "the server asks whether this side is there: %s within %s (ClientAliveInterval)", text.Count(asked, "time"), watched)
	case remote && link.Info().ServerVersion != "":
		x.Hint(tunnelfile.SubjectKeepalive, mend, "the server did not ask within %s whether this side is there: its ClientAliveInterval is unknown, "+
			"and where it is 0, which is the default, the server holds the port of a lost link until TCP gives up", watched)
	}
}
