package forward

import (
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Config is what a Set serves and how. The names are those of the tunnel file and of ssh_config(5).
type Config struct {
	Forwards []tunnelfile.Forward

	HoldTimeout time.Duration // how long a new local connection waits for a link; 0 refuses at once
	MaxHeld     int           // how many new local connections may wait for a link
	MaxChannels int           // how many connections may run through all forwards at once; 0: no limit
	AllowUsers  string        // "self": local TCP listeners refuse other users' processes; "any" or empty: they accept all

	GatewayPorts          bool        // listeners without a bind address listen on all interfaces
	StreamLocalBindMask   os.FileMode // umask for local unix sockets; ssh's default is 0177
	StreamLocalBindUnlink bool        // remove a stale unix socket before listening, locally and on the server
	ExitOnForwardFailure  bool        // a failed local listener is an error; a refused remote bind is degraded
	PermitRemoteOpen      []string    // where clients of a reverse SOCKS proxy may connect, see ssh_config(5); empty is any
	Check                 string      // "connect": try each target once a minute; "none" or empty

	// New uses the fields below. Apply ignores them.

	// Inherited are listening sockets of the service manager. Each is matched to a forward by its
	// address. Connections to those without a forward are accepted and reset, because nobody else
	// answers them.
	Inherited []net.Listener
	// Dormant means that the Set accepts nothing before Serve, because another process still does.
	Dormant bool
	// Store puts a listener that Apply opened into the service manager's store, where it outlives
	// this process. Unstore removes it. Both may be nil.
	Store   func(name string, l net.Listener)
	Unstore func(name string)
	// Changed is called, without locks held, when the state or the message of a forward has changed.
	// It may be nil.
	Changed func()
	Log     *slog.Logger // may be nil
}

// Totals are a Set's sums over all its forwards, removed ones included.
type Totals struct {
	ChannelsOpen  int64  // connections with both ends open
	ChannelsTotal uint64 // connections that had both ends open, since New
	Refused       uint64 // refused connections: target not reached, another user's, or too many
	Held          int64  // local connections that wait for a link
	BytesSent     uint64 // from this side to the server
	BytesReceived uint64 // from the server to this side
}
