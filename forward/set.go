package forward

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

var errNotBuilt = errors.New("not built yet")

// Set serves a tunnel's forwards. Its methods may be called from any goroutine.
type Set struct{}

// New opens the local listeners, or takes those that are inherited, and holds what
// connects until Use brings a link. Its error names the forward:
// "LocalForward 5432: address already in use (held by postgres, pid 812)".
func New(c Config) (*Set, error) { return nil, errNotBuilt }

// Use makes l the link that new channels go to; those of the link before drain.
// Connections that were held are served in order of arrival, and remote forwards
// move: cancelled on the old link, bound on l. It returns when the server has
// answered each bind; a refused one is no error but the state of that forward.
// Whatever is given to Use is given to Lost in the end.
func (s *Set) Use(ctx context.Context, l Link) error { return errNotBuilt }

// Lost says that l is dead: its connections are reset, and if it was the one in use,
// new local connections are held until the next Use.
func (s *Set) Lost(l Link) {}

// Refuse resets held and new local connections at once, for as long as there is no
// link to serve them; reason shows in the report.
func (s *Set) Refuse(reason string) {}

// Accept ends Refuse: new local connections are held again.
func (s *Set) Accept() {}

// Apply changes to another configuration: forwards that are new are opened, those
// that are gone are closed to new connections, all others are left alone. On an
// error nothing has changed.
func (s *Set) Apply(c Config) error { return errNotBuilt }

// Report is the state and the counters of each forward, in the order of the file.
func (s *Set) Report() []tunnelfile.ForwardReport { return nil }

// Totals are the sums over all forwards since New.
func (s *Set) Totals() Totals { return Totals{} }

// Draining is how many channels are open on l; for a link that is no longer in use.
func (s *Set) Draining(l Link) int { return 0 }

// Idle receives a token each time the last open or held connection ended.
func (s *Set) Idle() <-chan struct{} { return nil }

// IdleSince is when the last connection ended, or when the Set was made if there
// was none; zero while any is open or held.
func (s *Set) IdleSince() time.Time { return time.Time{} }

// Close stops listening, resets what is held, waits for open connections until ctx
// ends, and then cuts those that are left. Its error is ctx's if it cut any.
func (s *Set) Close(ctx context.Context) error { return errNotBuilt }
