package dbusapi

import (
	"context"
	"errors"
	"sync"

	"github.com/godbus/dbus/v5"
)

// person is somebody whom polkit can ask for a password, on behalf of a client.
type person struct {
	ctx   context.Context
	there func() error

	mu     sync.Mutex
	denied bool // that was their last word
}

// AskPerson has polkit ask a person about calls that are denied. Before the first of them there is
// called; if it fails, nobody is asked. The context bounds the asking, since the one of a call is
// too short for a person.
func (c *Client) AskPerson(ctx context.Context, there func() error) {
	c.person = &person{ctx: ctx, there: sync.OnceValue(there)}
}

// ask makes a call that was denied once more, while somebody can be asked about it.
func (p *person) ask(denied *dbus.Call, again func(context.Context) *dbus.Call) *dbus.Call {
	p.mu.Lock() // one question at a time
	defer p.mu.Unlock()
	if p.denied || p.there() != nil {
		return denied
	}
	ctx, cancel := context.WithTimeout(p.ctx, personTime)
	defer cancel()
	call := again(ctx)
	p.denied = errors.Is(call.Err, ErrDenied)
	return call
}
