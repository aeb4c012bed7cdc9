package forward

import (
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Config is what a Set serves and how. The names are those of the tunnel file and
// of ssh_config(5).
type Config struct {
	Forwards []tunnelfile.Forward

	HoldTimeout time.Duration // how long a new local connection waits for a link; 0 refuses at once
	MaxHeld     int           // how many may wait
	MaxChannels int           // how many connections may run through all forwards at once; 0: no limit
	AllowUsers  string        // "self": TCP listeners here refuse other users' processes; "any" or empty: they do not

	GatewayPorts          bool        // listeners without a bind address listen on all interfaces
	StreamLocalBindMask   os.FileMode // umask for unix sockets made here; ssh's own default is 0177
	StreamLocalBindUnlink bool        // remove a stale unix socket before listening, here and on the server
	ExitOnForwardFailure  bool        // a refused remote bind makes its forward degraded; otherwise merely retrying
	PermitRemoteOpen      []string    // where clients of a reverse SOCKS proxy may go: ssh_config(5); empty is any
	Check                 string      // "connect": try each target once a minute; "none" or empty

	// The rest is taken from the Config that New was given; Apply ignores it.

	// Inherited are listening sockets of the service manager. They are matched to
	// forwards by the address they are bound to; those that no forward wants accept
	// and reset, because nobody else would.
	Inherited []net.Listener
	// Dormant has nobody accept until Serve: another process still does.
	Dormant bool
	// Store hands a listener that Apply opened to the service manager, so that it
	// outlives this process; Unstore takes it back. Both may be nil.
	Store   func(name string, l net.Listener)
	Unstore func(name string)
	// Changed is called, without locks held, when the state or the message of some
	// forward changed. It may be nil.
	Changed func()
	Log     *slog.Logger // may be nil
}

// Totals are a Set's sums over all its forwards, past ones included.
type Totals struct {
	ChannelsOpen  int64  // connections with both ends open
	ChannelsTotal uint64 // of them, since New
	Refused       uint64 // connections that were turned away: their target was not reached, they were of another user, or too many
	Held          int64  // local connections that wait for a link
	BytesSent     uint64 // into the tunnel, from this side to the server
	BytesReceived uint64 // out of it
}
