package dbusapi

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/internal/listing"
)

// Limits for agents and their questions.
const (
	maxAgents      = 64
	maxAgentsOfOne = 8
	maxKind        = 32       // bytes
	maxPrompt      = 8 << 10  // bytes
	maxAnswer      = 64 << 10 // bytes
)

// remoteAgent is a registered agent: an object of a connection to the bus.
type remoteAgent struct {
	owner string // unique name of the connection
	path  dbus.ObjectPath
	turn  chan struct{} // has a token while the agent is asked: one question at a time
	stop  func()        // stops waiting for the connection to leave
}

// registry is the agents, in the order of their registration. Only the goroutine that runs Serve uses
// it.
type registry []*remoteAgent

// inLoop runs f in the goroutine that owns the registry.
func (s *server) inLoop(ctx context.Context, f func(*registry)) error {
	done := make(chan struct{})
	call := func(r *registry) {
		defer close(done)
		f(r)
	}
	select {
	case s.calls <- call:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// register adds an agent. If it is registered already, it is asked first from now on.
func (s *server) register(ctx context.Context, owner string, path dbus.ObjectPath) error {
	agent := &remoteAgent{owner: owner, path: path, turn: make(chan struct{}, 1)}
	var known, full bool
	err := s.inLoop(ctx, func(r *registry) {
		if i := slices.IndexFunc(*r, agent.same); i >= 0 {
			known, agent = true, (*r)[i]
			*r = slices.Delete(*r, i, i+1)
		}
		if full = r.full(owner); !full {
			*r = append(*r, agent)
		}
	})
	switch {
	case err != nil:
		return err
	case full:
		return fmt.Errorf("%w: so many agents are registered", ErrTooMany)
	case known:
		return nil
	}
	stop, err := s.conn.Left(ctx, owner, func() { go func() { _ = s.unregister(s.ctx, owner, path) }() })
	if err == nil {
		err = s.inLoop(ctx, func(r *registry) {
			if slices.Contains(*r, agent) {
				agent.stop = stop
			} else {
				stop()
			}
		})
	}
	if err != nil {
		return errors.Join(err, s.unregister(s.ctx, owner, path))
	}
	return s.backend.Attended(ctx)
}

// full says whether this connection has registered as many agents as it may.
func (r registry) full(owner string) bool {
	ofOwner := 0
	for _, a := range r {
		if a.owner == owner {
			ofOwner++
		}
	}
	return len(r) >= maxAgents || ofOwner >= maxAgentsOfOne
}

// unregister removes an agent.
func (s *server) unregister(ctx context.Context, owner string, path dbus.ObjectPath) error {
	var removed *remoteAgent
	err := s.inLoop(ctx, func(r *registry) {
		if i := slices.IndexFunc(*r, (&remoteAgent{owner: owner, path: path}).same); i >= 0 {
			removed = (*r)[i]
			*r = slices.Delete(*r, i, i+1)
		}
	})
	if err != nil {
		return err
	}
	if removed == nil {
		return ErrNoAgent
	}
	if removed.stop != nil {
		removed.stop()
	}
	return nil
}

func (a *remoteAgent) same(b *remoteAgent) bool { return a.owner == b.owner && a.path == b.path }

// agentObject is the Agent interface of the daemon, on the entry object. A tunnel's askpass asks it,
// and it asks the registered agents, one after another.
type agentObject struct{ *server }

func (o agentObject) Ask(msg dbus.Message, tunnel dbus.ObjectPath, kind, prompt string, echo bool) (string, *dbus.Error) {
	var answer string
	err := o.ask(msg, tunnel, &answer, "Ask", kind, prompt, echo)
	return answer, err
}

func (o agentObject) Confirm(msg dbus.Message, tunnel dbus.ObjectPath, kind, prompt string) (bool, *dbus.Error) {
	var yes bool
	err := o.ask(msg, tunnel, &yes, "Confirm", kind, prompt)
	return yes, err
}

// Cancel does nothing: it is for agents. A caller that needs no answer leaves the bus.
func (o agentObject) Cancel(msg dbus.Message) *dbus.Error {
	return onEntry(msg, AgentInterface)
}

// ask passes a question on to the agents, the last one registered first, until one answers or
// refuses. It has no deadline, because a person is thinking; it ends when the caller leaves the bus.
func (o agentObject) ask(msg dbus.Message, tunnel dbus.ObjectPath, answer any, method, kind, prompt string, args ...any) *dbus.Error {
	if err := onEntry(msg, AgentInterface); err != nil {
		return err
	}
	if err := o.mayAsk(msg, tunnel); err != nil {
		return err
	}
	if len(kind) > maxKind || len(prompt) > maxPrompt {
		return bus.LimitsExceeded("the question is too long")
	}
	ctx, cancel := context.WithCancel(o.ctx)
	defer cancel()
	stop, err := o.conn.Left(ctx, senderOf(msg), cancel)
	if err != nil {
		return dbusError(err)
	}
	defer stop()
	var agents registry
	if err := o.inLoop(ctx, func(r *registry) { agents = slices.Clone(*r) }); err != nil {
		return dbusError(err)
	}
	for _, agent := range slices.Backward(agents) {
		err := o.askOne(ctx, agent, answer, method, append([]any{tunnel, kind, prompt}, args...)...)
		if err == nil || errors.Is(err, listing.ErrRefused) || ctx.Err() != nil {
			return dbusError(err)
		}
	}
	return dbusError(ErrNoAgent)
}

// askOne asks one agent when it has no other question, and cancels when the answer is no longer
// needed.
func (o agentObject) askOne(ctx context.Context, agent *remoteAgent, answer any, method string, args ...any) error {
	select {
	case agent.turn <- struct{}{}:
		defer func() { <-agent.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	object := o.conn.Object(agent.owner, agent.path)
	err := goError(object.CallWithContext(ctx, AgentInterface+"."+method, dbus.FlagNoAutoStart, args...).Store(answer))
	if ctx.Err() != nil {
		object.Call(AgentInterface+".Cancel", dbus.FlagNoReplyExpected|dbus.FlagNoAutoStart)
	}
	if line, ok := answer.(*string); ok && len(*line) > maxAnswer {
		*line, err = "", fmt.Errorf("%w: the answer has more than %d bytes", ErrTooMany, maxAnswer)
	}
	return err
}
