package forward

import (
	"context"
	"net"
	"time"
)

// dialTimeout bounds connecting to a remote forward's target on this side.
const dialTimeout = 30 * time.Second

// dialHere connects to the target of a remote forward. ctx abandons it.
func dialHere(ctx context.Context, t target) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, t.network, t.addr)
}
