package tunnelfile

import (
	"fmt"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// Report is what a worker reports on $XDG_RUNTIME_DIR/holdfast/NAME.sock, GET /status, as JSON. The
// worker writes it, and the daemon reads it.
type Report struct {
	Name       string          `json:"name"`
	Version    string          `json:"version"` // of the program
	State      State           `json:"state"`
	Reason     fault.Reason    `json:"reason"` // why it is not well; "" when it is
	Status     string          `json:"status"` // for people; the Text of the unit's [Status]
	StateSince time.Time       `json:"state_since"`
	UpSince    time.Time       `json:"up_since"`  // zero when there is no SSH connection
	NextTry    time.Time       `json:"next_try"`  // zero unless retrying
	Settings   string          `json:"settings"`  // SettingsHash of the file in force
	Transport  Transport       `json:"transport"` // in use: native or openssh
	Peer       string          `json:"peer,omitempty"`
	Kex        string          `json:"kex,omitempty"`
	Cipher     string          `json:"cipher,omitempty"`
	HostKey    string          `json:"host_key,omitempty"` // type and SHA-256 fingerprint
	Forwards   []ForwardReport `json:"forwards"`

	HandsOver       bool      `json:"hands_over"`                // it knows SignalHandOver
	NotHandedOver   string    `json:"not_handed_over,omitempty"` // why the last handover failed
	NotHandedOverAt time.Time `json:"not_handed_over_at"`        // when the last handover failed; zero if none did

	RTT        time.Duration `json:"rtt_ns"` // last measured round trip; 0 unknown
	Reconnects uint64        `json:"reconnects"`

	Connections       int `json:"connections"` // SSH connections that are up
	ConnectionsWanted int `json:"connections_wanted"`

	ChannelsOpen  int64  `json:"channels_open"`
	ChannelsTotal uint64 `json:"channels_total"`
	Held          int64  `json:"held"`           // local connections that wait for the link
	BytesSent     uint64 `json:"bytes_sent"`     // into the tunnel, from this side to the server
	BytesReceived uint64 `json:"bytes_received"` // out of it
}

// Line is the StatusText of the worker's unit.
func (r Report) Line() Status { return Status{r.State, r.Reason, r.Status} }

// Note is the forward's Message, with the time since its last failure:
// "db.internal:5432 refuses connections, 3 times, last 12 s ago".
func (f ForwardReport) Note(now time.Time) string {
	if f.LastFailure.IsZero() {
		return f.Message
	}
	return fmt.Sprintf("%s, last %s ago", f.Message, text.Ago(max(now.Sub(f.LastFailure), 0)))
}

// ForwardReport is one forward's part of a Report.
type ForwardReport struct {
	Kind          ForwardKind  `json:"kind"`
	Text          string       `json:"text"` // as written
	Listen        string       `json:"listen"`
	Target        string       `json:"target"`           // "SOCKS" if clients choose
	State         State        `json:"state"`            // up, listening, retrying, degraded, …
	Reason        fault.Reason `json:"reason,omitempty"` // why it is not well
	Message       string       `json:"message,omitempty"`
	Failures      uint64       `json:"failures,omitempty"`    // connections in a row that failed for the reason in Message
	LastFailure   time.Time    `json:"last_failure,omitzero"` // when the last of them failed
	Refused       uint64       `json:"refused"`               // connections that were refused, for any reason
	ChannelsOpen  int64        `json:"channels_open"`
	ChannelsTotal uint64       `json:"channels_total"`
	BytesSent     uint64       `json:"bytes_sent"`
	BytesReceived uint64       `json:"bytes_received"`
}
