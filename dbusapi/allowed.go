package dbusapi

import (
	"context"
	"os/user"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"
)

// manageAction is polkit's action for changing the system's tunnels.
const manageAction = BusName + ".manage"

// personTime is how long a person may take to answer polkit's question.
const personTime = 5 * time.Minute

func accessDenied(why string) *dbus.Error {
	return dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", []any{why})
}

// unlessRoot returns what f decides about the sender by its user ID. Root may do everything, and so
// may everybody on a session bus: only its user can connect.
func (s *server) unlessRoot(msg dbus.Message, f func(uid uint32) *dbus.Error) *dbus.Error {
	if !s.system {
		return nil
	}
	uid, err := s.conn.UID(senderOf(msg))
	if err != nil || uid == 0 {
		return dbusError(err)
	}
	return f(uid)
}

// allowed returns an error unless the sender may change something: root may, and whoever polkit
// allows.
func (s *server) allowed(msg dbus.Message) *dbus.Error {
	return s.unlessRoot(msg, func(uint32) *dbus.Error {
		if s.allowedByPolkit(msg) {
			return nil
		}
		return accessDenied("only root may do this, and whom polkit allows " + manageAction)
	})
}

// mayAsk returns an error unless the sender may ask a question of a tunnel. That is the tunnel's own
// askpass, which runs as the tunnel's user.
func (s *server) mayAsk(msg dbus.Message, tunnel dbus.ObjectPath) *dbus.Error {
	return s.unlessRoot(msg, func(uid uint32) *dbus.Error {
		if s.runsAs(nameAt(tunnel), uid) {
			return nil
		}
		return accessDenied("only root, and the user that the tunnel runs as, may ask for it")
	})
}

// runsAs says whether a tunnel of the system runs as the user with this number.
func (s *server) runsAs(tunnel string, uid uint32) bool {
	account, failed := answerFor(s, tunnel, s.backend.User)
	if failed != nil {
		return false
	}
	number := strconv.FormatUint(uint64(uid), 10)
	u, err := user.Lookup(account)
	return account == number || err == nil && u.Uid == number
}

// polkitSubject is the process that polkit is asked about: (sa{sv}).
type polkitSubject struct {
	Kind    string
	Details map[string]dbus.Variant
}

// allowedByPolkit asks polkit(8) about the sender. polkit asks a person only if the sender's message
// allows it. Without polkit the answer is no.
func (s *server) allowedByPolkit(msg dbus.Message) bool {
	var flags uint32
	limit := callTime
	if msg.Flags&dbus.FlagAllowInteractiveAuthorization != 0 {
		flags, limit = 1, personTime
	}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	subject := polkitSubject{"system-bus-name", map[string]dbus.Variant{"name": dbus.MakeVariant(senderOf(msg))}}
	var answer struct {
		Authorized, Challenge bool
		Details               map[string]string
	}
	err := s.conn.Object("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority").CallWithContext(ctx,
		"org.freedesktop.PolicyKit1.Authority.CheckAuthorization", 0, subject, manageAction, map[string]string{}, flags, "").Store(&answer)
	return err == nil && answer.Authorized
}
