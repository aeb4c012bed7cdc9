package bus

import (
	"context"
	"sync"
	"time"
)

// uidTime is how long the bus may take to name the user of a connection.
const uidTime = 2 * time.Second

// maxUIDs is how many connections are remembered.
const maxUIDs = 4096

// users has the users of the bus's connections. A bus never gives a unique name to another
// connection, so an answer stays right.
type users struct {
	conn *Conn

	mu    sync.Mutex
	side  *Conn // a second connection: the first one may be flooded
	known map[string]uint32
}

// UID is the user of the connection with this unique name. The bus knows it from the kernel. It is
// asked once for each name, over a second connection.
func (c *Conn) UID(sender string) (uint32, error) {
	u := &c.users
	u.mu.Lock()
	defer u.mu.Unlock()
	if uid, ok := u.known[sender]; ok {
		return uid, nil
	}
	ctx, cancel := context.WithTimeout(c.Context(), uidTime)
	defer cancel()
	if u.side == nil || u.side.Context().Err() != nil {
		side, err := Open(ctx, c.address)
		if err != nil {
			return 0, err
		}
		u.side = side
		context.AfterFunc(c.Context(), func() { _ = side.Close() })
	}
	var uid uint32
	if err := u.side.BusObject().CallWithContext(ctx, Name+".GetConnectionUnixUser", 0, sender).Store(&uid); err != nil {
		return 0, err
	}
	if u.known == nil || len(u.known) >= maxUIDs {
		u.known = make(map[string]uint32)
	}
	u.known[sender] = uid
	return uid, nil
}

func (u *users) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.side != nil {
		_ = u.side.Close()
	}
}
