package dbusapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/manager/listing"
)

// remoteAgent is a registered agent: an object of a connection to the bus.
type remoteAgent struct {
	owner string // unique name of the connection
	path  dbus.ObjectPath
	turn  chan struct{} // holds a token while the agent is asked: one question at a time
}

// asker is a question under way.
type asker struct {
	owner  string
	cancel context.CancelFunc
}

// registry is who may be asked and who asks. It is owned by the goroutine that runs Serve.
type registry struct {
	agents []*remoteAgent // registered last comes last
	askers map[*asker]bool
}

// left forgets a connection that has left the bus, and says how many agents it had.
func (r *registry) left(owner string) (agents int) {
	before := len(r.agents)
	r.agents = slices.DeleteFunc(r.agents, func(a *remoteAgent) bool { return a.owner == owner })
	for a := range r.askers {
		if a.owner == owner {
			a.cancel()
		}
	}
	return before - len(r.agents)
}

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

// watchName asks the bus to say when this connection leaves; unwatchName takes it back.
// The bus counts: as many of the one as of the other.
func (s *server) watchName(ctx context.Context, name string) error {
	return s.conn.AddMatchSignalContext(ctx, nameOwnerMatch(name)...)
}

func (s *server) unwatchName(name string) {
	_ = s.conn.RemoveMatchSignalContext(s.ctx, nameOwnerMatch(name)...)
}

// onBus says whether the connection is there still. Asked after it was noted down, it
// catches one that left before that.
func (s *server) onBus(ctx context.Context, name string) bool {
	var there bool
	err := s.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&there)
	return err == nil && there
}

func nameOwnerMatch(name string) []dbus.MatchOption {
	return []dbus.MatchOption{
		dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchInterface("org.freedesktop.DBus"),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, name),
	}
}

// leftBus says which connection the signal says has left.
func leftBus(signal *dbus.Signal) (name string, left bool) {
	var old, new string
	if signal.Name != "org.freedesktop.DBus.NameOwnerChanged" || dbus.Store(signal.Body, &name, &old, &new) != nil {
		return "", false
	}
	return name, new == "" && strings.HasPrefix(name, ":")
}

// register adds an agent. One that is registered already is asked first from now on.
func (s *server) register(ctx context.Context, owner string, path dbus.ObjectPath) error {
	if err := s.watchName(ctx, owner); err != nil {
		return err
	}
	agent := &remoteAgent{owner: owner, path: path, turn: make(chan struct{}, 1)}
	known := false
	err := s.inLoop(ctx, func(r *registry) {
		if i := slices.IndexFunc(r.agents, agent.same); i >= 0 {
			known, agent = true, r.agents[i]
			r.agents = slices.Delete(r.agents, i, i+1)
		}
		r.agents = append(r.agents, agent)
	})
	if err != nil || known {
		s.unwatchName(owner)
		return err
	}
	if !s.onBus(ctx, owner) {
		return s.unregister(ctx, owner, path)
	}
	return s.backend.Attended(ctx)
}

// unregister removes an agent.
func (s *server) unregister(ctx context.Context, owner string, path dbus.ObjectPath) error {
	agent := &remoteAgent{owner: owner, path: path}
	known := false
	err := s.inLoop(ctx, func(r *registry) {
		known = slices.ContainsFunc(r.agents, agent.same)
		r.agents = slices.DeleteFunc(r.agents, agent.same)
	})
	if err != nil {
		return err
	}
	if !known {
		return ErrNoAgent
	}
	s.unwatchName(owner)
	return nil
}

func (a *remoteAgent) same(b *remoteAgent) bool { return a.owner == b.owner && a.path == b.path }

// agentObject is the Agent interface of the daemon, on the entry object: what it is
// asked, by a tunnel's askpass, it asks the registered agents in turn.
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

// Cancel is for agents that are asked; who asks the daemon leaves the bus, or waits.
func (o agentObject) Cancel(msg dbus.Message) *dbus.Error {
	return onEntry(msg, AgentInterface)
}

// ask passes a question on to the agents, the one registered last first, until one
// answers or refuses. There is no deadline but the asker's: a person is thinking.
func (o agentObject) ask(msg dbus.Message, tunnel dbus.ObjectPath, answer any, method string, args ...any) *dbus.Error {
	if err := onEntry(msg, AgentInterface); err != nil {
		return err
	}
	if err := o.mayAsk(msg, tunnel); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(o.ctx)
	defer cancel()
	me := &asker{senderOf(msg), cancel}
	if err := o.watchName(ctx, me.owner); err != nil {
		return dbusError(err)
	}
	defer o.unwatchName(me.owner)
	var agents []*remoteAgent
	err := o.inLoop(ctx, func(r *registry) {
		agents = slices.Clone(r.agents)
		r.askers[me] = true
	})
	if err != nil {
		return dbusError(err)
	}
	defer func() { _ = o.inLoop(o.ctx, func(r *registry) { delete(r.askers, me) }) }()
	if !o.onBus(ctx, me.owner) {
		return dbusError(context.Canceled)
	}
	for _, agent := range slices.Backward(agents) {
		err := o.askOne(ctx, agent, answer, method, append([]any{tunnel}, args...)...)
		if err == nil || errors.Is(err, listing.ErrRefused) || ctx.Err() != nil {
			return dbusError(err)
		}
	}
	return dbusError(ErrNoAgent)
}

// askOne asks one agent when it is its turn, and tells it when the answer is no longer wanted.
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
	return err
}
