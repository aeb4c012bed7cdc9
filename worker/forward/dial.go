package forward

import (
	"context"
	"net"
	"time"
)

// dialTimeout bounds the connection to a remote forward's target on this side.
const dialTimeout = 30 * time.Second

// dialHere connects to the target of a remote forward, until ctx ends.
func dialHere(ctx context.Context, t target) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, t.network, t.addr)
}
