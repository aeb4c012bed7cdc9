// Package journal writes the log of Holdfast's programs to systemd's journal. Each line becomes an
// entry with fields. An entry may be an Event, which a program can read back by its fields: no
// program has to parse sentences.
//
// The text of an entry is for people. Message IDs are explained in packaging/holdfast.catalog.
package journal

import (
	"context"
	"log/slog"
)

// Kind says what an event is about.
type Kind string

// The kinds of event.
const (
	State Kind = "state" // a tunnel is in another state
	Lost  Kind = "lost"  // the SSH connection in use was lost
)

// Event is something in a tunnel's life. Its fields are those of the entry.
type Event struct {
	Kind   Kind
	Tunnel string // from the log's attribute "tunnel"
	State  string // of a State: a word of the contract
	Reason string // why it is not well: a word of the contract
	Status string // for people
}

// Fields are the fields of an Event, for journalctl --output-fields.
const Fields = "HOLDFAST_EVENT,HOLDFAST_TUNNEL,HOLDFAST_STATE,HOLDFAST_REASON,HOLDFAST_STATUS"

// DaemonUnit is the daemon's unit.
const DaemonUnit = "holdfastd.service"

// messageIDs are the MESSAGE_IDs for journalctl -x, by state or else by kind.
var messageIDs = map[string]string{
	"inactive":   "f8a9b5738658444983ffb6c9e6e1bc7f",
	"listening":  "55ff1bf5353b485885ae173462d3d6a4",
	"offline":    "b93f874693254ffbbd3e29f341153d04",
	"connecting": "5d2d1c16ab3547eabae0d6d2e7450fa0",
	"up":         "8cd542488b164dd58946880dbe0fa830",
	"degraded":   "138bd425e6524da2bcbca27ddc913582",
	"retrying":   "29b59ebf20e241f38752352ce8cfe2c9",
	"blocked":    "091e8a01c60f4ca28158c2a268699680",
	"failed":     "f52b8707e8034882a5ffc6bfaa2c99c6",
	"stopping":   "645b4496d5354c6ab5dceb6f05cff239",
	string(Lost): "31f212dac08a41da8f7c495226e48f74",
}

// MessageID is the event's MESSAGE_ID.
func (e Event) MessageID() string {
	if e.Kind == State {
		return messageIDs[e.State]
	}
	return messageIDs[string(e.Kind)]
}

// message is the entry's text.
func (e Event) message() string {
	if e.Kind == Lost {
		return e.Status // it says that the connection was lost
	}
	text := e.State
	if e.Reason != "" {
		text += " [" + e.Reason + "]"
	}
	if e.Status != "" {
		text += ": " + e.Status
	}
	return text
}

// Log writes the event to a log. A log that is no journal gets a line with msg and args.
func (e Event) Log(log *slog.Logger, level slog.Level, msg string, args ...any) {
	log.Log(context.WithValue(context.Background(), eventKey{}, e), level, msg, args...)
}

// eventKey is the key of an Event in a context.
type eventKey struct{}

func eventIn(ctx context.Context) (Event, bool) {
	e, ok := ctx.Value(eventKey{}).(Event)
	return e, ok
}
