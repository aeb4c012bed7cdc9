package dbusapi

import (
	"context"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Agent answers questions that only a person can answer, in a terminal or a dialog. It gets one
// question at a time. The context ends when the answer is no longer needed. ErrRefused says that
// the person does not want to answer; after any other error the next agent is asked.
type Agent interface {
	// Ask asks for a line. Kind is passphrase, password, code, pin or other.
	Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error)
	// Confirm asks for a yes or a no. Kind is hostkey, touch or other.
	Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error)
}

// agentPath is the object of a client's agent.
const agentPath = EntryPath + "/Agent"

// RegisterAgent has the daemon ask this agent, before those registered earlier, until UnregisterAgent
// or Close. A client has at most one agent. After a restart of the daemon, register again.
func (c *Client) RegisterAgent(ctx context.Context, agent Agent) error {
	if err := c.conn.Follow(ctx, BusName); err != nil {
		return goError(err)
	}
	object := clientAgent{conn: c.conn, agent: agent, cancel: make(chan struct{})}
	if err := c.conn.Export(object, agentPath, AgentInterface, false); err != nil {
		return err
	}
	return c.manager(ctx, "RegisterAgent", agentPath).Err
}

// UnregisterAgent stops the daemon asking this client's agent.
func (c *Client) UnregisterAgent(ctx context.Context) error {
	return c.manager(ctx, "UnregisterAgent", agentPath).Err
}

// clientAgent is the Agent interface on a client's connection.
type clientAgent struct {
	conn   *bus.Conn
	agent  Agent
	cancel chan struct{}
}

func (a clientAgent) Ask(msg dbus.Message, tunnel dbus.ObjectPath, kind, prompt string, echo bool) (string, *dbus.Error) {
	return wanted(a, senderOf(msg), func(ctx context.Context) (string, error) {
		return a.agent.Ask(ctx, nameAt(tunnel), kind, prompt, echo)
	})
}

func (a clientAgent) Confirm(msg dbus.Message, tunnel dbus.ObjectPath, kind, prompt string) (bool, *dbus.Error) {
	return wanted(a, senderOf(msg), func(ctx context.Context) (bool, error) {
		return a.agent.Confirm(ctx, nameAt(tunnel), kind, prompt)
	})
}

// Cancel ends the current question, if there is one.
func (a clientAgent) Cancel(msg dbus.Message) *dbus.Error {
	if err := a.ofDaemon(senderOf(msg)); err != nil {
		return err
	}
	select {
	case a.cancel <- struct{}{}:
	default:
	}
	return nil
}

// ofDaemon returns an error unless sender is the daemon. Nobody else may ask in its name.
func (a clientAgent) ofDaemon(sender string) *dbus.Error {
	if sender != a.conn.Owner(BusName) {
		return accessDenied("only holdfastd asks here")
	}
	return nil
}

// wanted asks until Cancel, or until the daemon has left the bus.
func wanted[T any](a clientAgent, daemon string, ask func(context.Context) (T, error)) (answer T, failed *dbus.Error) {
	if err := a.ofDaemon(daemon); err != nil {
		return answer, err
	}
	ctx, stop := context.WithCancel(a.conn.Context())
	defer stop()
	go func() {
		select {
		case <-a.cancel:
			stop()
		case <-ctx.Done():
		}
	}()
	ignore, err := a.conn.Left(ctx, daemon, stop)
	if err != nil {
		return answer, dbusError(err)
	}
	defer ignore()
	answer, err = ask(ctx)
	return answer, dbusError(err)
}

// nameAt is the name of the tunnel at path, "" if there is no tunnel.
func nameAt(path dbus.ObjectPath) string {
	name, _ := tunnelfile.NameOfPath(string(path))
	return name
}

// Ask asks the daemon, which asks its agents, for a line. It has no deadline of its own.
func (c *Client) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	var answer string
	err := c.once(ctx, EntryPath, AgentInterface+".Ask", about(tunnel), kind, prompt, echo).Store(&answer)
	return answer, err
}

// Confirm asks for a yes or a no in the same way.
func (c *Client) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	var yes bool
	err := c.once(ctx, EntryPath, AgentInterface+".Confirm", about(tunnel), kind, prompt).Store(&yes)
	return yes, err
}

// about is the object that a question is about: a tunnel, or the entry object.
func about(tunnel string) dbus.ObjectPath {
	if tunnel == "" {
		return EntryPath
	}
	return tunnelPath(tunnel)
}
