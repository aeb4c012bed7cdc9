package dbusapi

import (
	"context"
	"time"
)

// connectionLook is how often AwaitConnection looks. No signal announces a new SSH connection that
// replaces an old one.
const connectionLook = 500 * time.Millisecond

// AwaitConnection waits until the tunnel has an SSH connection that was made after since, or
// until ctx ends, which is an error.
func (c *Client) AwaitConnection(ctx context.Context, name string, since time.Time) error {
	look := time.NewTicker(connectionLook)
	defer look.Stop()
	for {
		s, err := c.Statistics(ctx, name)
		if err == nil && s.UpTime > 0 && s.UpTime < time.Since(since) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}
