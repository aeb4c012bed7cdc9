package systemdctl

import (
	"context"
	"fmt"
	"syscall"
)

// replace is the job mode: the new job replaces a conflicting one that waits.
const replace = "replace"

// Start queues a start job for a unit, and does not wait for it.
//
// systemd does not start a socket while its service is active ("Socket service … already active,
// refusing"): the job fails, and a transient socket is unloaded at once. Stop the service first.
func (c *Conn) Start(ctx context.Context, unit string) error {
	return c.verb(ctx, "StartUnit", "start", unit, replace)
}

// Stop queues a stop job for a unit, and does not wait for it. The error is ErrNoSuchUnit if there is
// no such unit; a transient unit does not exist after its stop. Stop a socket before its service,
// or a waiting connection starts the service again.
func (c *Conn) Stop(ctx context.Context, unit string) error {
	return c.verb(ctx, "StopUnit", "stop", unit, replace)
}

// Restart queues a restart job for a unit, and does not wait for it. It ends the wait of an automatic
// restart.
func (c *Conn) Restart(ctx context.Context, unit string) error {
	return c.verb(ctx, "RestartUnit", "restart", unit, replace)
}

// ResetFailed makes a failed unit inactive, and resets its start limit. It unloads a transient unit
// that nothing refers to.
func (c *Conn) ResetFailed(ctx context.Context, unit string) error {
	return c.verb(ctx, "ResetFailedUnit", "reset", unit)
}

// Kill sends a signal to the main process of a service. The error is ErrNoProcess if there is none.
func (c *Conn) Kill(ctx context.Context, unit string, sig syscall.Signal) error {
	return c.verb(ctx, "KillUnit", "signal", unit, "main", int32(sig))
}

// verb calls a method of the manager whose first argument is a unit's name.
func (c *Conn) verb(ctx context.Context, method, verb, unit string, args ...any) error {
	if err := c.call(ctx, method, append([]any{unit}, args...)...).Err; err != nil {
		return fmt.Errorf("%s %s: %w", verb, unit, translate(err))
	}
	return nil
}
