package manager

import (
	"context"
	"fmt"
	"path"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// fakeUnits plays the few moves of systemd that the table depends on: units come and
// go at once, and each change gives a hint. What it gets wrong the tests in the box find.
type fakeUnits struct {
	mu    sync.Mutex
	units map[string]systemdctl.Unit
	fail  map[string]error // by verb
	stall chan struct{}    // StartTransient waits until it is closed; nil: it does not
	calls []string         // verb and unit, or signal
	hints chan string
	done  chan struct{}
	pid   uint32
}

func newFakeUnits() *fakeUnits {
	return &fakeUnits{
		units: make(map[string]systemdctl.Unit),
		fail:  make(map[string]error),
		hints: make(chan string, 1000),
		done:  make(chan struct{}),
		pid:   1 << 30, // no process has it
	}
}

// do notes a call and makes a change, if the call is to succeed.
func (f *fakeUnits) do(verb, unit string, change func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+unit)
	if err := f.fail[verb]; err != nil {
		return err
	}
	if change != nil {
		change()
		f.hints <- unit
	}
	return nil
}

// set changes a unit from outside.
func (f *fakeUnits) set(name string, change func(*systemdctl.Unit)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.units[name]
	u.Name = name
	change(&u)
	f.units[name] = u
	f.hints <- name
}

func (f *fakeUnits) failWith(verb string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[verb] = err
}

// took is the calls so far, and forgets them.
func (f *fakeUnits) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// count is how many such calls there were so far.
func (f *fakeUnits) count(call string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (f *fakeUnits) run(name string) {
	u := f.units[name]
	u.Name, u.ActiveState, u.SubState = name, "active", "listening"
	if path.Ext(name) == ".service" {
		f.pid++
		u.SubState, u.MainPID, u.StatusText = "running", f.pid, "up: 1 forward"
	}
	f.units[name] = u
}

func (f *fakeUnits) StartTransient(_ context.Context, unit systemdctl.Transient, aux ...systemdctl.Transient) error {
	if f.stall != nil {
		<-f.stall
	}
	return f.do("make", unit.Name, func() {
		for _, t := range append(aux, unit) {
			u := systemdctl.Unit{Name: t.Name, ActiveState: "inactive", SubState: "dead"}
			for _, p := range t.Properties {
				if p.Name == "Environment" {
					u.Environment = append(u.Environment, p.Value.Value().([]string)...)
				}
			}
			f.units[t.Name] = u
			if t.Name == unit.Name || path.Ext(t.Name) == ".socket" {
				f.run(t.Name)
			}
		}
	})
}

func (f *fakeUnits) Start(_ context.Context, unit string) error {
	return f.do("start", unit, func() { f.run(unit) })
}

func (f *fakeUnits) Restart(_ context.Context, unit string) error {
	return f.do("restart", unit, func() { f.run(unit) })
}

func (f *fakeUnits) Stop(_ context.Context, unit string) error {
	return f.do("stop", unit, func() { delete(f.units, unit) })
}

func (f *fakeUnits) ResetFailed(_ context.Context, unit string) error {
	return f.do("reset", unit, func() {
		if f.units[unit].ActiveState == "failed" {
			delete(f.units, unit)
		}
	})
}

func (f *fakeUnits) Kill(_ context.Context, unit string, sig syscall.Signal) error {
	return f.do(fmt.Sprint("signal ", int(sig)), unit, nil)
}

func (f *fakeUnits) List(_ context.Context, pattern string) ([]systemdctl.Unit, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail["list"]; err != nil {
		f.calls = append(f.calls, "list "+pattern)
		return nil, err
	}
	var list []systemdctl.Unit
	for name, u := range f.units {
		if ok, err := path.Match(pattern, name); err != nil {
			return nil, err
		} else if ok {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b systemdctl.Unit) int { return len(a.Name) - len(b.Name) })
	return list, nil
}

func (f *fakeUnits) Watch(ctx context.Context, match func(string) bool) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		for hint := ""; ; {
			select {
			case out <- hint:
			case <-ctx.Done():
				return
			}
			select {
			case hint = <-f.hints:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (f *fakeUnits) UserspaceTimestampMonotonic(context.Context) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail["since"]; err != nil {
		f.calls = append(f.calls, "since ")
		return 0, err
	}
	return 42, nil
}

func (f *fakeUnits) Done() <-chan struct{} { return f.done }

var testHost = Host{Host: design.Host{Program: "/usr/bin/holdfast-tunnel"}}

func parse(t *testing.T, text string) tunnelfile.Tunnel {
	t.Helper()
	tunnel, problems := tunnelfile.Parse("web", "/home/me/.config/holdfast/web.tunnel", "[Tunnel]\nDestination=me@server\n"+text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return tunnel
}
