package bus

import (
	"context"
	"sync"
	"time"
)

// uidTime is how long the bus may take to say who a connection is.
const uidTime = 2 * time.Second

// maxUIDs is how many connections are remembered.
const maxUIDs = 4096

// users is who the connections of a bus are. A unique name is never given to another
// connection, so what was learnt once stays so.
type users struct {
	conn *Conn

	mu    sync.Mutex
	side  *Conn // asks the bus, beside a connection that may be flooded
	known map[string]uint32
}

// UID is the user at the other end of a connection, as the bus knows it from the kernel. The
// bus is asked once for each unique name, over a connection of its own.
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
