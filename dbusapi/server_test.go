package dbusapi_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/dbusapi/apitest"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// text is a small tunnel file to a host.
func text(host string) string {
	return "[Tunnel]\nDestination=me@" + host + "\nLocalForward=9090 localhost:9090\nStart=manual\n"
}

// served is a Backend on a bus of its own, and a client.
func served(t *testing.T) (*apitest.Backend, *dbusapi.Client) {
	t.Helper()
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	backend := apitest.NewBackend()
	apitest.Serve(t, backend)
	return backend, apitest.Dial(t)
}

// call calls any object of the daemon's, and gives the name of the error.
func call(conn *dbus.Conn, path dbus.ObjectPath, method string, args ...any) (errorName string) {
	err := conn.Object(dbusapi.BusName, path).Call(method, 0, args...).Err
	var e dbus.Error
	if errors.As(err, &e) {
		return e.Name
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestVerbs(t *testing.T) {
	_, c := served(t)
	ctx := t.Context()
	if err := c.AddTunnel(ctx, "web", text("server")); err != nil {
		t.Fatal(err)
	}
	if err := c.AddTunnel(ctx, "web", text("server")); !errors.Is(err, listing.ErrTunnelExists) {
		t.Errorf("adding it twice: %v", err)
	}
	if err := c.AddTunnel(ctx, "a/b", text("server")); !errors.Is(err, listing.ErrInvalidName) {
		t.Errorf("adding a/b: %v", err)
	}
	var problems tunnelfile.Problems
	if err := c.AddTunnel(ctx, "bad", "[Tunnel]\nDestination=a\nStrat=auto\n"); !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line != 3 {
		t.Errorf("adding one with a bad line: %v", err)
	}
	if problems, err := c.CheckTunnel(ctx, "bad", "[Tunnel]\nDestination=a\nStrat=auto\n"); err != nil || len(problems) != 1 || problems[0].Key != "Strat" {
		t.Errorf("checking one with a bad line: %v, %v", problems, err)
	}
	if problems, err := c.CheckTunnel(ctx, "good", text("server")); err != nil || problems != nil {
		t.Errorf("checking a good one: %v, %v", problems, err)
	}
	if err := c.Start(ctx, "we*"); err != nil {
		t.Error(err)
	}
	if err := c.Start(ctx, "nothing*"); !errors.Is(err, listing.ErrNoSuchTunnel) {
		t.Errorf("starting none: %v", err)
	}
	web, err := c.Tunnel(ctx, "web")
	if err != nil || web.State != tunnelfile.Up || web.Forwards[0].State != tunnelfile.Up {
		t.Errorf("web: %v, %+v", err, web)
	}
	if _, err := c.Tunnel(ctx, "bew"); !errors.Is(err, listing.ErrNoSuchTunnel) {
		t.Errorf("asking for one that is not there: %v", err)
	}
	if s, err := c.Statistics(ctx, "web"); err != nil || s.RoundTripTime != 12*time.Millisecond || s.UpTime < time.Hour {
		t.Errorf("statistics: %v, %+v", err, s)
	}
	if _, err := c.Statistics(ctx, "bew"); !errors.Is(err, listing.ErrNoSuchTunnel) {
		t.Errorf("statistics of one that is not there: %v", err)
	}
	for _, names := range [][]string{nil, {"web", "bew"}} {
		all, err := c.StatisticsOf(ctx, names...)
		if err != nil || all["web"].RoundTripTime != 12*time.Millisecond || len(all["web"].Forwards) == 0 || all["bew"].Transport != "" {
			t.Errorf("statistics of %q: %v, %+v", names, err, all)
		}
	}
	if all, err := c.StatisticsOf(ctx, "bew"); err != nil || len(all) > 0 {
		t.Errorf("statistics of none: %v, %+v", err, all)
	}
	if err := c.Reconnect(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Restart(ctx, "web"); err != nil {
		t.Error(err)
	}
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
	if err := c.UpdateTunnel(ctx, "web", strings.Replace(text("server"), "9090", "9091", 1)); err != nil {
		t.Error(err)
	}
	if err := c.Reload(ctx); err != nil {
		t.Error(err)
	}
	tunnels, err := c.Tunnels(ctx)
	if err != nil || len(tunnels) != 1 || tunnels[0].State != tunnelfile.Inactive || !slices.Equal(tunnels[0].LocalForward, []string{"9091 localhost:9090"}) {
		t.Errorf("tunnels: %v, %+v", err, tunnels)
	}
	if err := c.RemoveTunnel(ctx, "web"); err != nil {
		t.Error(err)
	}
	if g, err := c.Global(ctx); err != nil || g.Version != "0.0.0-test" {
		t.Errorf("global: %v, %+v", err, g)
	}
}

func TestStandardAnswers(t *testing.T) {
	backend, _ := served(t)
	if err := backend.AddTunnel(t.Context(), "a-b", text("server")); err != nil {
		t.Fatal(err)
	}
	conn := apitest.Connect(t)
	entry := dbusapi.EntryPath
	tunnel := dbus.ObjectPath(tunnelfile.ObjectPath("a-b"))
	nobody := dbus.ObjectPath(tunnelfile.ObjectPath("nobody"))
	const (
		std             = "org.freedesktop.DBus."
		unknownObject   = std + "Error.UnknownObject"
		unknownIface    = std + "Error.UnknownInterface"
		unknownMethod   = std + "Error.UnknownMethod"
		unknownProperty = std + "Error.UnknownProperty"
		readOnly        = std + "Error.PropertyReadOnly"
		invalidArgs     = std + "Error.InvalidArgs"
	)
	for _, c := range []struct {
		path   dbus.ObjectPath
		method string
		args   []any
		want   string // name of the error
	}{
		{entry, std + "Peer.Ping", nil, ""},
		{tunnel, std + "Peer.Ping", nil, ""},
		{entry, std + "Introspectable.Introspect", nil, ""},
		{nobody, std + "Introspectable.Introspect", nil, unknownObject},
		{entry, std + "Properties.Get", []any{dbusapi.ManagerInterface, "Version"}, ""},
		{tunnel, std + "Properties.Get", []any{dbusapi.TunnelInterface, "State"}, ""},
		{tunnel, std + "Properties.Get", []any{dbusapi.TunnelInterface, "Mood"}, unknownProperty},
		{tunnel, std + "Properties.Get", []any{dbusapi.ManagerInterface, "Version"}, unknownIface},
		{nobody, std + "Properties.Get", []any{dbusapi.TunnelInterface, "State"}, unknownObject},
		{tunnel, std + "Properties.Set", []any{dbusapi.TunnelInterface, "State", dbus.MakeVariant("up")}, readOnly},
		{tunnel, std + "Properties.Set", []any{dbusapi.TunnelInterface, "Mood", dbus.MakeVariant("up")}, unknownProperty},
		{tunnel, std + "Properties.GetAll", []any{""}, ""},
		{tunnel, std + "Properties.GetAll", []any{std + "Peer"}, ""},
		{tunnel, std + "Properties.GetAll", []any{"org.example.Other"}, unknownIface},
		{entry, std + "ObjectManager.GetManagedObjects", nil, ""},
		{tunnel, std + "ObjectManager.GetManagedObjects", nil, unknownIface},
		{nobody, dbusapi.TunnelInterface + ".Start", nil, unknownObject},
		{nobody, dbusapi.ManagerInterface + ".Reload", nil, ""}, // see below
		{entry, dbusapi.TunnelInterface + ".Start", nil, unknownIface},
		{tunnel, dbusapi.ManagerInterface + ".Reload", nil, unknownIface},
		{tunnel, dbusapi.TunnelInterface + ".Levitate", nil, unknownMethod},
		{tunnel, "org.example.Other.Start", nil, unknownIface},
		{entry, dbusapi.ManagerInterface + ".Start", nil, invalidArgs},
		{entry, dbusapi.ManagerInterface + ".GetTunnel", []any{"nobody"}, "io.github.holdfast.Holdfast1.Error.NoSuchTunnel"},
	} {
		if c.path == nobody && c.method == dbusapi.ManagerInterface+".Reload" {
			c.want = unknownIface // a path that could be a tunnel's
		}
		if got := call(conn, c.path, c.method, c.args...); got != c.want {
			t.Errorf("%s %s %v: %q, want %q", c.path, c.method, c.args, got, c.want)
		}
	}
	// Get and GetAll say the same.
	var all map[string]dbus.Variant
	object := conn.Object(dbusapi.BusName, tunnel)
	if err := object.Call(std+"Properties.GetAll", 0, dbusapi.TunnelInterface).Store(&all); err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		got, err := object.GetProperty(dbusapi.TunnelInterface + "." + name)
		if err != nil || got.String() != want.String() {
			t.Errorf("Get %s: %v, %v; GetAll says %v", name, got, err, want)
		}
	}
}

// TestTree walks the objects as busctl does: by introspection alone, from the root.
func TestTree(t *testing.T) {
	backend, _ := served(t)
	for _, name := range []string{"web", "a-b", "7"} {
		if err := backend.AddTunnel(t.Context(), name, text("server")); err != nil {
			t.Fatal(err)
		}
	}
	conn := apitest.Connect(t)
	interfaces := make(map[dbus.ObjectPath][]string)
	var walk func(path dbus.ObjectPath)
	walk = func(path dbus.ObjectPath) {
		var reply string
		if err := conn.Object(dbusapi.BusName, path).Call("org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&reply); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var node introspect.Node
		if err := xml.Unmarshal([]byte(reply), &node); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, i := range node.Interfaces {
			if strings.HasPrefix(i.Name, dbusapi.BusName) {
				interfaces[path] = append(interfaces[path], strings.TrimPrefix(i.Name, dbusapi.BusName+"."))
			}
		}
		for _, child := range node.Children {
			walk(dbus.ObjectPath(strings.TrimSuffix(string(path), "/") + "/" + child.Name))
		}
	}
	walk("/")
	want := map[dbus.ObjectPath][]string{dbusapi.EntryPath: {"Manager", "Agent"}}
	for _, name := range []string{"web", "a-b", "7"} {
		want[dbus.ObjectPath(tunnelfile.ObjectPath(name))] = []string{"Tunnel"}
	}
	if !reflect.DeepEqual(interfaces, want) {
		t.Errorf("the tree is %v, want %v", interfaces, want)
	}
}

// TestIntrospectedAllOver: 200 introspections at once, again and again, while tunnels come and go.
func TestIntrospectedAllOver(t *testing.T) {
	backend, _ := served(t)
	ctx, stop := context.WithCancel(t.Context())
	var changer sync.WaitGroup
	changes := 0
	changer.Go(func() {
		for ; ctx.Err() == nil; changes++ {
			name := fmt.Sprint("t", changes%20)
			if err := backend.AddTunnel(ctx, name, text("server")); err != nil {
				t.Error(err)
			}
			if err := backend.Start(ctx, []string{name}); err != nil {
				t.Error(err)
			}
			if err := backend.RemoveTunnel(ctx, name); err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Microsecond) // let the others have the lock
		}
	})
	conns := []*dbus.Conn{apitest.Connect(t), apitest.Connect(t), apitest.Connect(t), apitest.Connect(t)}
	paths := []dbus.ObjectPath{"/", "/io", dbusapi.EntryPath, dbusapi.EntryPath + "/tunnel", dbus.ObjectPath(tunnelfile.ObjectPath("t7"))}
	var askers sync.WaitGroup
	for i := range 200 {
		askers.Go(func() {
			for range 5 {
				path := paths[i%len(paths)]
				got := call(conns[i%len(conns)], path, "org.freedesktop.DBus.Introspectable.Introspect")
				if got != "" && got != "org.freedesktop.DBus.Error.UnknownObject" {
					t.Errorf("%s: %s", path, got)
				}
			}
		})
	}
	askers.Wait()
	stop()
	changer.Wait()
	t.Logf("1000 introspections beside %d changes", 3*changes)
	if changes == 0 {
		t.Error("nothing changed meanwhile")
	}
}

// TestAnnounced: every difference is announced once, in order, and nothing else is.
func TestAnnounced(t *testing.T) {
	backend, _ := served(t)
	conn := apitest.Connect(t)
	signals := make(chan *dbus.Signal, 100)
	conn.Signal(signals)
	if err := conn.AddMatchSignal(dbus.WithMatchSender(dbusapi.BusName)); err != nil {
		t.Fatal(err)
	}
	a := listing.Tunnel{Name: "a", State: tunnelfile.Inactive}
	backend.Put(a)
	backend.Put(a) // nothing differs
	a.State, a.StateSince = tunnelfile.Connecting, apitest.Since
	backend.Put(a)
	a.State = tunnelfile.Up
	backend.Put(a)
	backend.SetGlobal(listing.Global{Version: "0.0.0-test", Network: "offline", NetworkSource: "NetworkManager"})
	if err := backend.RemoveTunnel(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < 5 {
		select {
		case s := <-signals:
			if strings.HasPrefix(s.Name, "org.freedesktop.DBus.Name") {
				continue // the bus to this connection
			}
			member := s.Name[strings.LastIndex(s.Name, ".")+1:]
			what := fmt.Sprint(s.Body[0])
			if changed, ok := s.Body[1].(map[string]dbus.Variant); ok {
				what = fmt.Sprint(slices.Sorted(maps.Keys(changed)))
			}
			got = append(got, member+" "+what)
		case <-time.After(5 * time.Second):
			t.Fatalf("got only %q", got)
		}
	}
	path := tunnelfile.ObjectPath("a")
	want := []string{"InterfacesAdded " + path, "PropertiesChanged [State StateSince]", "PropertiesChanged [State]", "PropertiesChanged [Network]", "InterfacesRemoved " + path}
	if !slices.Equal(got, want) {
		t.Errorf("announced\n%q, want\n%q", got, want)
	}
}

func TestNameTaken(t *testing.T) {
	served(t)
	if err := dbusapi.Serve(t.Context(), apitest.Open(t), false, apitest.NewBackend()); !errors.Is(err, dbusapi.ErrNameTaken) {
		t.Errorf("a second daemon: %v", err)
	}
}

// TestSystemMode: on the system bus only root changes anything. The test's own user stands for others.
func TestSystemMode(t *testing.T) {
	address := apitest.Bus(t)
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
	go dbusapi.Serve(t.Context(), apitest.Open(t), true, apitest.NewBackend())
	c := apitest.Dial(t)
	if _, err := c.Wait(t.Context(), func(s dbusapi.Snapshot) bool { return s.Running }); err != nil {
		t.Fatal(err)
	}
	err := c.Reload(t.Context())
	if isRoot := exec.Command("test", "-O", "/proc/1").Run() == nil; isRoot != (err == nil) {
		t.Errorf("root: %v; Reload: %v", isRoot, err)
	}
	if _, err := c.Tunnels(t.Context()); err != nil {
		t.Errorf("reading: %v", err)
	}
}
