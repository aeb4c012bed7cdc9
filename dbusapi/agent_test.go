package dbusapi_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
)

// person is an Agent.
type person struct {
	answer string
	err    atomic.Value  // error: what Ask fails with
	asked  chan string   // what was asked
	gone   chan struct{} // closed when the question was withdrawn; nil: answer at once
}

func newPerson(answer string) *person { return &person{answer: answer, asked: make(chan string, 10)} }

func (p *person) Ask(ctx context.Context, tunnel, kind, prompt string, echo bool) (string, error) {
	p.asked <- fmt.Sprintf("%s %s %q %v", tunnel, kind, prompt, echo)
	if p.gone != nil {
		<-ctx.Done()
		close(p.gone)
		return "", ctx.Err()
	}
	err, _ := p.err.Load().(error)
	return p.answer, err
}

func (p *person) Confirm(ctx context.Context, tunnel, kind, prompt string) (bool, error) {
	p.asked <- fmt.Sprintf("%s %s %q", tunnel, kind, prompt)
	return p.answer == "yes", nil
}

func TestAgents(t *testing.T) {
	_, worker := served(t)
	ctx := t.Context()
	ask := func() (string, error) { return worker.Ask(ctx, "web", "passphrase", "Passphrase?", false) }
	if _, err := ask(); !errors.Is(err, dbusapi.ErrNoAgent) {
		t.Errorf("with nobody there: %v", err)
	}
	if err := worker.UnregisterAgent(ctx); !errors.Is(err, dbusapi.ErrNoAgent) {
		t.Errorf("taking back what was not given: %v", err)
	}
	tray, terminal := newPerson("tray"), newPerson("yes")
	trayClient, terminalClient := apitest.Dial(t), apitest.Dial(t)
	for range 2 { // registering again does no harm
		if err := trayClient.RegisterAgent(ctx, tray); err != nil {
			t.Fatal(err)
		}
	}
	if err := terminalClient.RegisterAgent(ctx, terminal); err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(); err != nil || answer != "yes" {
		t.Errorf("the last one registered is asked first: %q, %v", answer, err)
	}
	if got := <-terminal.asked; got != `web passphrase "Passphrase?" false` {
		t.Errorf("asked %s", got)
	}
	if yes, err := worker.Confirm(ctx, "", "hostkey", "Sure?"); err != nil || !yes {
		t.Errorf("confirm: %v, %v", yes, err)
	}
	if got := <-terminal.asked; got != ` hostkey "Sure?"` {
		t.Errorf("asked %s", got)
	}
	terminal.err.Store(fmt.Errorf("%w", errors.New("no terminal")))
	if answer, err := ask(); err != nil || answer != "tray" {
		t.Errorf("one that cannot is passed over: %q, %v", answer, err)
	}
	terminal.err.Store(fmt.Errorf("%w", listing.ErrRefused))
	if answer, err := ask(); !errors.Is(err, listing.ErrRefused) {
		t.Errorf("a no is a no: %q, %v", answer, err)
	}
	// One that leaves without a word is forgotten.
	terminalClient.Close()
	if answer, err := ask(); err != nil || answer != "tray" {
		t.Errorf("after the terminal left: %q, %v", answer, err)
	}
	if err := trayClient.UnregisterAgent(ctx); err != nil {
		t.Error(err)
	}
	if _, err := ask(); !errors.Is(err, dbusapi.ErrNoAgent) {
		t.Errorf("with nobody there any more: %v", err)
	}
}

// TestAskerLeaves: a question that nobody waits for any more is withdrawn.
func TestAskerLeaves(t *testing.T) {
	_, _ = served(t)
	slow := newPerson("")
	slow.gone = make(chan struct{})
	if err := apitest.Dial(t).RegisterAgent(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	asker := apitest.Dial(t)
	answered := make(chan error, 1)
	go func() {
		_, err := asker.Ask(t.Context(), "web", "code", "Code?", true)
		answered <- err
	}()
	<-slow.asked
	asker.Close()
	select {
	case <-slow.gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the question was not withdrawn")
	}
	<-answered
}

// TestDaemonLeaves: a question that the daemon asked before it died is withdrawn.
func TestDaemonLeaves(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	daemon := apitest.Open(t)
	go dbusapi.Serve(t.Context(), daemon, false, apitest.NewBackend())
	agent, asker := apitest.Dial(t), apitest.Dial(t)
	slow := newPerson("")
	slow.gone = make(chan struct{})
	testbed.WaitFor(t, 20*time.Second, func() error { return agent.RegisterAgent(t.Context(), slow) })
	go asker.Ask(t.Context(), "web", "code", "Code?", true)
	<-slow.asked
	daemon.Close()
	select {
	case <-slow.gone:
	case <-time.After(5 * time.Second):
		t.Fatal("the question was not withdrawn")
	}
}

// TestAgentLeaves: an agent that goes away half way, with nobody else there.
func TestAgentLeaves(t *testing.T) {
	_, worker := served(t)
	slow := newPerson("")
	slow.gone = make(chan struct{})
	agent := apitest.Dial(t)
	if err := agent.RegisterAgent(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-slow.asked
		agent.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := worker.Ask(ctx, "web", "code", "Code?", true); !errors.Is(err, dbusapi.ErrNoAgent) {
		t.Errorf("got %v", err)
	}
}
