package systemdctl

import (
	"context"
	"fmt"
	"syscall"
)

// replace is the job mode: a conflicting job that waits is replaced by the new one.
const replace = "replace"

// Start queues a start job for a unit and returns without waiting for it.
//
// systemd refuses to start a socket while its service is active ("Socket service …
// already active, refusing"): the job fails, and a transient socket is forgotten at
// once. The service has to be stopped first.
func (c *Conn) Start(ctx context.Context, unit string) error {
	return c.verb(ctx, "StartUnit", "start", unit, replace)
}

// Stop queues a stop job for a unit and returns without waiting for it. A unit that
// is not there is ErrNoSuchUnit; a transient one that is stopped is not there any
// more. A socket is to be stopped before its service, or a connection that waits
// starts the service again.
func (c *Conn) Stop(ctx context.Context, unit string) error {
	return c.verb(ctx, "StopUnit", "stop", unit, replace)
}

// Restart queues a restart job for a unit and returns without waiting for it. It
// cuts the wait of an automatic restart short.
func (c *Conn) Restart(ctx context.Context, unit string) error {
	return c.verb(ctx, "RestartUnit", "restart", unit, replace)
}

// ResetFailed makes a failed unit inactive and forgets its start limit counter. A
// transient unit that nothing refers to is unloaded by it.
func (c *Conn) ResetFailed(ctx context.Context, unit string) error {
	return c.verb(ctx, "ResetFailedUnit", "reset", unit)
}

// Kill sends a signal to the main process of a service. ErrNoProcess says that there
// is none at the moment.
func (c *Conn) Kill(ctx context.Context, unit string, sig syscall.Signal) error {
	return c.verb(ctx, "KillUnit", "signal", unit, "main", int32(sig))
}

// verb calls a method of the manager that takes a unit's name first.
func (c *Conn) verb(ctx context.Context, method, verb, unit string, args ...any) error {
	if err := c.call(ctx, method, append([]any{unit}, args...)...).Err; err != nil {
		return fmt.Errorf("%s %s: %w", verb, unit, translate(err))
	}
	return nil
}
