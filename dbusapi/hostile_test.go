package dbusapi_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// everybody is the unique names on the bus: a forged signal is sent to each of them.
func everybody(t *testing.T, conn *dbus.Conn) (unique []string) {
	t.Helper()
	var names []string
	if err := conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, ":") && name != conn.Names()[0] {
			unique = append(unique, name)
		}
	}
	return append(unique, "")
}

// TestHostileBusSignals holds that neither the daemon nor a client believes a stranger's signals.
func TestHostileBusSignals(t *testing.T) {
	backend, worker := served(t)
	backend.Put(listing.Tunnel{Name: "web", State: tunnelfile.Up, Destination: "server"})
	watcher, agent := apitest.Dial(t), apitest.Dial(t)
	person := newPerson("yes")
	if err := agent.RegisterAgent(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	snapshots, err := watcher.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := <-snapshots
	stranger := apitest.Connect(t)
	path := dbus.ObjectPath(tunnelfile.ObjectPath("web"))
	const std = "org.freedesktop.DBus"
	state := map[string]dbus.Variant{"State": dbus.MakeVariant("blocked")}
	tries := 0
	for _, to := range everybody(t, stranger) {
		forge := func(name string, path dbus.ObjectPath, body ...any) {
			tries++
			testbed.Forge(t, stranger, to, name, path, body...)
		}
		names := append(everybody(t, stranger), dbusapi.BusName, "org.freedesktop.systemd1")
		for _, name := range names {
			for _, body := range testbed.ForgedOwnerChanges(name, first.Owner) {
				forge(std+".NameOwnerChanged", "/org/freedesktop/DBus", body...)
			}
		}
		for _, body := range [][]any{{dbusapi.BusName}, {int32(1)}} {
			forge(std+".NameLost", "/org/freedesktop/DBus", body...)
		}
		forge(std+".Properties.PropertiesChanged", path, dbusapi.TunnelInterface, state, []string{})
		forge(std+".Properties.PropertiesChanged", path, dbusapi.TunnelInterface)
		forge(std+".Properties.PropertiesChanged", dbusapi.EntryPath, dbusapi.ManagerInterface, map[string]dbus.Variant{"Network": dbus.MakeVariant("offline")}, []string{})
		forge(std+".ObjectManager.InterfacesRemoved", dbusapi.EntryPath, path, []string{dbusapi.TunnelInterface})
		forge(std+".ObjectManager.InterfacesAdded", dbusapi.EntryPath, path, map[string]map[string]dbus.Variant{dbusapi.TunnelInterface: state})
	}
	// The answer to the stranger comes after all that it sent.
	if err := stranger.BusObject().Call(std+".GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
	// A change that is true is the next thing that is told.
	backend.Put(listing.Tunnel{Name: "last", Destination: "server"})
	for {
		s := <-snapshots
		if web, ok := s.Tunnel("web"); !s.Running || !ok || web.State != tunnelfile.Up || s.Global.Network != first.Global.Network {
			t.Fatalf("a stranger is believed: %+v", s)
		}
		if _, ok := s.Tunnel("last"); ok {
			break
		}
	}
	if answer, err := worker.Ask(t.Context(), "web", "code", "Code?", true); err != nil || answer != "yes" {
		t.Errorf("the agent is gone: %q, %v", answer, err)
	}
	t.Logf("| forged signals, session bus | %d tries | 0 crashed | 0 lost | 0 let in |", tries)
}

// TestHostileBusAgent holds that nobody but the daemon asks a person through an agent.
func TestHostileBusAgent(t *testing.T) {
	_, _ = served(t)
	agent := apitest.Dial(t)
	person := newPerson("secret")
	if err := agent.RegisterAgent(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	stranger := apitest.Connect(t)
	asked := 0
	for _, to := range everybody(t, stranger) {
		if to == "" {
			continue
		}
		var answer string
		call := stranger.Object(to, dbusapi.EntryPath+"/Agent").Call(dbusapi.AgentInterface+".Ask", 0, dbusapi.EntryPath, "password", "Password?", false)
		if err := call.Store(&answer); err == nil {
			t.Errorf("%s was asked, and told %q", to, answer)
		}
		asked++
	}
	select {
	case q := <-person.asked:
		t.Errorf("the person was asked %s", q)
	default:
	}
	t.Logf("| an agent asked by a stranger | %d tries | 0 crashed | 0 lost | 0 let in |", asked)
}

// TestHostileBusArguments holds that arguments of no method's, of any size, are refused, and
// that agents and questions are bounded.
func TestHostileBusArguments(t *testing.T) {
	backend, worker := served(t)
	backend.Put(listing.Tunnel{Name: "web", State: tunnelfile.Up})
	stranger := apitest.Connect(t)
	entry := stranger.Object(dbusapi.BusName, dbusapi.EntryPath)
	const (
		limits  = "org.freedesktop.DBus.Error.LimitsExceeded"
		invalid = "org.freedesktop.DBus.Error.InvalidArgs"
	)
	deep := dbus.MakeVariant("x")
	for range 60 {
		deep = dbus.MakeVariant(deep)
	}
	variants := make([]dbus.Variant, 1<<16)
	for i := range variants {
		variants[i] = dbus.MakeVariant(byte(1))
	}
	tries := 0
	for _, c := range []struct {
		method string
		args   []any
		want   string
	}{
		{dbusapi.ManagerInterface + ".AddTunnel", []any{"big", strings.Repeat("x", 16<<20)}, limits},
		{dbusapi.ManagerInterface + ".AddTunnel", []any{"big", strings.Repeat("x", tunnelfile.MaxFileSize+1)}, limits},
		{dbusapi.ManagerInterface + ".Start", []any{make([]string, 5000)}, limits},
		{dbusapi.ManagerInterface + ".Start", []any{[]string{strings.Repeat("*a", 1000)}}, "io.github.holdfast.Holdfast1.Error.InvalidName"},
		{dbusapi.ManagerInterface + ".Start", []any{variants}, invalid},
		{dbusapi.ManagerInterface + ".Start", []any{dbus.UnixFDIndex(3)}, invalid},
		{dbusapi.ManagerInterface + ".Start", []any{map[string]dbus.Variant{"a": deep}}, invalid},
		{dbusapi.AgentInterface + ".Ask", []any{dbusapi.EntryPath, "code", strings.Repeat("x", 1<<17), false}, limits},
		{dbusapi.AgentInterface + ".Ask", []any{dbusapi.EntryPath, strings.Repeat("k", 100), "?", false}, limits},
		{"org.freedesktop.DBus.Properties.Set", []any{dbusapi.ManagerInterface, "Version", dbus.MakeVariant(variants)}, invalid},
	} {
		tries++
		err := entry.Call(c.method, 0, c.args...).Err
		e, ok := errors.AsType[dbus.Error](err)
		if !ok || e.Name != c.want {
			t.Errorf("%s: got %v, want %s", c.method, err, c.want)
		}
	}
	refused := 0
	for i := range 100 {
		if err := entry.Call(dbusapi.ManagerInterface+".RegisterAgent", 0, dbus.ObjectPath("/agent"+strings.Repeat("x", i))).Err; err != nil {
			refused++
		}
		tries++
	}
	if refused < 90 {
		t.Errorf("one connection has %d agents", 100-refused)
	}
	if _, err := worker.Tunnel(t.Context(), "web"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	t.Logf("| arguments that no method has | %d tries | 0 crashed | 0 lost | 0 let in |", tries)
}

// TestHostileBusWaiting holds that calls which wait are bounded for each sender, whatever tricks
// it plays with flags and serial numbers, and that others are served meanwhile.
func TestHostileBusWaiting(t *testing.T) {
	_, worker := served(t)
	slow := newPerson("")
	slow.gone = make(chan struct{})
	if err := apitest.Dial(t).RegisterAgent(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	stranger := apitest.Connect(t)
	entry := stranger.Object(dbusapi.BusName, dbusapi.EntryPath)
	const tries = 2000
	replies := make(chan *dbus.Call, tries)
	for i := range tries {
		flags := dbus.Flags(0)
		if i%2 == 0 {
			flags = dbus.FlagNoReplyExpected
		}
		entry.Go(dbusapi.AgentInterface+".Ask", flags, replies, dbusapi.EntryPath, "code", "?", false)
	}
	limited := 0
	deadline := time.After(20 * time.Second)
	for limited < tries/2-256 {
		select {
		case call := <-replies:
			if e, ok := errors.AsType[dbus.Error](call.Err); ok && strings.HasSuffix(e.Name, "LimitsExceeded") {
				limited++
			}
		case <-deadline:
			t.Fatalf("only %d of %d were refused", limited, tries/2)
		}
	}
	if _, err := worker.Tunnels(t.Context()); err != nil {
		t.Errorf("others are not served: %v", err)
	}
	stranger.Close() // withdraws its questions
	t.Logf("| questions that wait | %d tries | 0 crashed | 0 lost | 256 let in, by bound |", tries)
}
