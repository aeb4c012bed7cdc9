package bus

import (
	"fmt"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// How many calls may be under way at once, and how many bytes they may have in total. A question is
// under way until a person answers, so a user may have many more calls than a single connection.
const (
	senderCalls, senderBytes = 256, 2 * MaxCall
	userCalls, userBytes     = 1024, 8 * MaxCall
)

const limitsExceeded = Name + ".Error.LimitsExceeded"

// LimitsExceeded is the error for one call too many, or one that is too long.
func LimitsExceeded(why string) *dbus.Error { return dbus.NewError(limitsExceeded, []any{why}) }

func invalidArgs(why string) *dbus.Error {
	return dbus.NewError(Name+".Error.InvalidArgs", []any{why})
}

// Export serves the methods of a value on the object at path and, with below, on all objects below
// it. Arguments may be strings, object paths, booleans, lists of these, and variants. Export
// everything before requesting a name: godbus cannot export while it answers introspection.
func (c *Conn) Export(value any, path dbus.ObjectPath, iface string, below bool) error {
	c.gate.mu.Lock()
	c.gate.serves = true
	c.gate.mu.Unlock()
	if below {
		return c.raw.ExportSubtree(value, path, iface)
	}
	return c.raw.Export(value, path, iface)
}

// Bound sets limits for a connection that serves many others. A reply to this connection may be as
// long as a call. If users is true, the calls of each user except root are limited too.
func (c *Conn) Bound(users bool) {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	c.gate.boundReplies, c.gate.boundUsers = true, users
}

// gate counts and limits the calls of other connections that are under way.
type gate struct {
	conn *Conn

	mu           sync.Mutex
	serves       bool // something is exported
	boundReplies bool
	boundUsers   bool
	underWay     map[call]admitted
	senders      map[string]usage
	byUser       map[uint32]usage
}

// call identifies a call of another connection.
type call struct {
	sender string
	serial uint32
}

// admitted is a call that is under way.
type admitted struct {
	bytes   int
	user    uint32
	ofUser  bool // counted for its user too
	noReply bool // do not send the reply
}

type usage struct{ calls, bytes int }

// full says whether one more call with that many bytes would be too much.
func (u usage) full(bytes, maxCalls, maxBytes int) bool {
	return u.calls >= maxCalls || u.calls > 0 && u.bytes+bytes > maxBytes
}

// drop means that the call gets no answer.
var drop = new(dbus.Error)

// admit counts a call that is allowed, or returns the error that refuses it.
func (g *gate) admit(h header) *dbus.Error {
	g.mu.Lock()
	serves, boundUsers := g.serves, g.boundUsers
	g.mu.Unlock()
	switch {
	case !serves:
		return dbus.NewError(Name+".Error.UnknownObject", []any{"this connection serves nothing"})
	case h.body > MaxCall:
		return LimitsExceeded(fmt.Sprintf("the arguments have %d bytes, more than %d", h.body, MaxCall))
	case !servable(h.signature, h.body):
		return invalidArgs(fmt.Sprintf("no method has arguments of type %q", h.signature))
	}
	a := admitted{bytes: int(h.body), noReply: h.flags&dbus.FlagNoReplyExpected != 0}
	if boundUsers {
		uid, err := g.conn.UID(h.sender)
		if err != nil {
			return dbus.NewError(Name+".Error.AccessDenied", []any{"the bus does not say who you are"})
		}
		a.user, a.ofUser = uid, uid != 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.senders[h.sender].full(a.bytes, senderCalls, senderBytes):
		return LimitsExceeded("too many calls at once: wait for the answers")
	case a.ofUser && g.byUser[a.user].full(a.bytes, userCalls, userBytes):
		return LimitsExceeded("too many calls of this user at once: wait for the answers")
	}
	if g.underWay == nil {
		g.underWay, g.senders, g.byUser = make(map[call]admitted), make(map[string]usage), make(map[uint32]usage)
	}
	if _, twice := g.underWay[call{h.sender, h.serial}]; twice {
		return drop // its reply would look like the first one's
	}
	g.underWay[call{h.sender, h.serial}] = a
	count(g.senders, h.sender, 1, a.bytes)
	if a.ofUser {
		count(g.byUser, a.user, 1, a.bytes)
	}
	return nil
}

// servable says whether a method can have such arguments. A short message of other types can make
// large values. Only Set of Properties has a variant, which must be short.
func servable(signature string, size uint32) bool {
	return strings.Trim(signature, "soba") == "" || signature == "ssv" && size <= 4<<10
}

func count[K comparable](m map[K]usage, key K, calls, bytes int) {
	u := m[key]
	u.calls, u.bytes = u.calls+calls, u.bytes+bytes
	if u.calls == 0 {
		delete(m, key)
		return
	}
	m[key] = u
}

// answered notes a reply that this connection sends, and says whether to send it.
func (g *gate) answered(message []byte) (send bool) {
	if kind := dbus.Type(message[1]); kind != dbus.TypeMethodReply && kind != dbus.TypeError {
		return true
	}
	h, ok := headerOf(message)
	return !ok || !g.done(h.destination, h.replySerial).noReply
}

// done removes a call from those under way.
func (g *gate) done(sender string, serial uint32) admitted {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.underWay[call{sender, serial}]
	if !ok {
		return a
	}
	delete(g.underWay, call{sender, serial})
	count(g.senders, sender, -1, -a.bytes)
	if a.ofUser {
		count(g.byUser, a.user, -1, -a.bytes)
	}
	return a
}

// maxReply is how many bytes a reply may have.
func (g *gate) maxReply() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.boundReplies {
		return MaxCall
	}
	return maxReply
}
