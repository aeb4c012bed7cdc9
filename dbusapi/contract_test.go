package dbusapi

import (
	"encoding/xml"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// promised is the public contract, written down a second time on purpose: methods with
// what goes in and comes out, properties with their types.
var promised = map[string]map[string]string{
	ManagerInterface: {
		"AddTunnel": "ss → o", "UpdateTunnel": "ss →", "RemoveTunnel": "s →", "CheckTunnel": "ss → a(uss)", "GetTunnel": "s → o",
		"Start": "as →", "Stop": "as →", "Restart": "as →", "Reconnect": "as →", "Reload": "→", "RestartRolling": "as →", "Statistics": "as → a{sa{sv}}",
		"RegisterAgent": "o →", "UnregisterAgent": "o →",
		"Version": "s const", "Network": "s", "NetworkSource": "s", "Problems": "a(suss)",
	},
	TunnelInterface: {
		"Start": "→", "Stop": "→", "Restart": "→", "Reconnect": "→", "Statistics": "→ a{sv}",
		"Name": "s const", "Description": "s", "Destination": "s", "FilePath": "s", "Text": "s", "Unit": "s", "StartMode": "s", "Tags": "as",
		"State": "s", "Reason": "s", "Status": "s", "WorkerVersion": "s", "StateSince": "t", "UpSince": "t", "NextTry": "t",
		"LocalForward": "as", "RemoteForward": "as", "DynamicForward": "as", "Forwards": "a(sssss)",
	},
	AgentInterface: {"Ask": "ossb → s", "Confirm": "oss → b", "Cancel": "→"},
}

// inXML is what the embedded contract says, in the same form.
func inXML(t *testing.T) map[string]map[string]string {
	var node introspect.Node
	if err := xml.Unmarshal([]byte(ContractXML), &node); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]map[string]string)
	for _, i := range node.Interfaces {
		if len(i.Signals) > 0 {
			t.Errorf("%s has signals of its own", i.Name)
		}
		members := make(map[string]string)
		for _, m := range i.Methods {
			var in, out string
			for _, a := range m.Args {
				switch a.Direction {
				case "in":
					in += a.Type
				case "out":
					out += a.Type
				default:
					t.Errorf("%s.%s: argument %s has no direction", i.Name, m.Name, a.Name)
				}
			}
			members[m.Name] = signature(in, out)
		}
		for _, p := range i.Properties {
			members[p.Name] = p.Type
			if p.Access != "read" {
				t.Errorf("%s.%s can be written", i.Name, p.Name)
			}
			for _, a := range p.Annotations {
				if a.Name == "org.freedesktop.DBus.Property.EmitsChangedSignal" {
					members[p.Name] += " " + a.Value
				}
			}
		}
		found[i.Name] = members
	}
	return found
}

func signature(in, out string) string {
	return strings.TrimSpace(strings.TrimSpace(in+" →") + " " + out)
}

// methodsOf is the methods that godbus exports of an object, in the same form. It fails
// for what looks like a method and would silently not be exported.
func methodsOf(t *testing.T, object any) map[string]string {
	found := make(map[string]string)
	typ := reflect.TypeOf(object)
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		f := m.Type
		if f.NumOut() == 0 || f.Out(f.NumOut()-1) != reflect.TypeFor[*dbus.Error]() {
			t.Errorf("%s.%s: its last result is no *dbus.Error, so nobody can call it", typ, m.Name)
			continue
		}
		var in, out string
		for i := 1; i < f.NumIn(); i++ {
			if f.In(i) != reflect.TypeFor[dbus.Message]() {
				in += dbus.SignatureOfType(f.In(i)).String()
			}
		}
		for i := range f.NumOut() - 1 {
			out += dbus.SignatureOfType(f.Out(i)).String()
		}
		found[m.Name] = signature(in, out)
	}
	return found
}

// TestContract holds the XML against what was promised and against the Go types.
func TestContract(t *testing.T) {
	inXML := inXML(t)
	for _, iface := range slices.Sorted(maps.Keys(promised)) {
		same(t, iface+": promised", promised[iface], "XML", inXML[iface])
	}
	if len(inXML) != len(promised) {
		t.Errorf("the XML has %d interfaces, promised are %d", len(inXML), len(promised))
	}

	inGo := map[string]map[string]string{
		ManagerInterface: methodsOf(t, managerObject{}),
		TunnelInterface:  methodsOf(t, tunnelObject{}),
		AgentInterface:   methodsOf(t, agentObject{}),
	}
	for name, v := range properties(listing.Global{}) {
		inGo[ManagerInterface][name] = v.Signature().String()
	}
	for name, v := range properties(listing.Tunnel{}) {
		inGo[TunnelInterface][name] = v.Signature().String()
	}
	for iface, members := range inXML {
		withoutConst := make(map[string]string)
		for name, what := range members {
			withoutConst[name] = strings.TrimSuffix(what, " const")
		}
		same(t, iface+": XML", withoutConst, "Go", inGo[iface])
	}
	same(t, "Agent: of a client", methodsOf(t, clientAgent{}), "of the daemon", inGo[AgentInterface])
}

// same fails on each difference in name or signature.
func same(t *testing.T, whatA string, a map[string]string, whatB string, b map[string]string) {
	t.Helper()
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a[name] != b[name] {
			t.Errorf("%s has %s %q, %s has %q", whatA, name, a[name], whatB, b[name])
		}
	}
}

// TestContractStandardInterfaces holds what introspection tells of the standard
// interfaces against the Go types that answer for them.
func TestContractStandardInterfaces(t *testing.T) {
	for _, c := range []struct {
		data   introspect.Interface
		object any
	}{
		{propertiesData, propertiesObject{}},
		{objectManagerData, objectManagerObject{}},
		{introspect.IntrospectData, introspectableObject{}},
	} {
		described := make(map[string]string)
		for _, m := range c.data.Methods {
			var in, out string
			for _, a := range m.Args {
				if a.Direction == "in" {
					in += a.Type
				} else {
					out += a.Type
				}
			}
			described[m.Name] = signature(in, out)
		}
		same(t, c.data.Name+": described", described, "Go", methodsOf(t, c.object))
	}
}

// TestContractDocumentsStatistics: the keys of the open a{sv} are part of the contract too.
func TestContractDocumentsStatistics(t *testing.T) {
	var doc string
	for _, m := range contract()[TunnelInterface].Methods {
		if m.Name == "Statistics" {
			doc = m.Annotations[0].Value
		}
	}
	for key := range properties(Statistics{}) {
		if !strings.Contains(doc, key) {
			t.Errorf("the XML does not mention %s", key)
		}
	}
}

// filled sets every field of the struct that v points to, so that none can be lost unseen.
func filled(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("s", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0), n)
		filled(v.Index(1), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.UnixMicro(int64(1e15) + int64(*n))))
			return
		}
		for i := range v.NumField() {
			filled(v.Field(i), n)
		}
	}
}

// TestThereAndBack holds each mapping against its inverse, with every field set and with none.
func TestThereAndBack(t *testing.T) {
	full, fullGlobal, n := listing.Tunnel{}, listing.Global{}, 0
	filled(reflect.ValueOf(&full).Elem(), &n)
	filled(reflect.ValueOf(&fullGlobal).Elem(), &n)
	full.StateSince = full.StateSince.Local()
	for i, f := range full.Forwards { // what the bus does not carry
		full.Forwards[i] = tunnelfile.ForwardReport{Kind: f.Kind, Listen: f.Listen, Target: f.Target, State: f.State, Message: f.Message}
	}
	empty := listing.Tunnel{Tags: []string{}, LocalForward: []string{}, RemoteForward: []string{}, DynamicForward: []string{}}
	for _, want := range []listing.Tunnel{full, empty} {
		got, err := withProperties(listing.Tunnel{}, properties(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("there and back: %v\n got %+v\nwant %+v", err, got, want)
		}
	}
	for _, want := range []listing.Global{fullGlobal, {}} {
		got, err := withProperties(listing.Global{}, properties(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("there and back: %v\n got %+v\nwant %+v", err, got, want)
		}
	}
	now := time.UnixMicro(2e15)
	report := tunnelfile.Report{
		BytesSent: 1, BytesReceived: 2, ChannelsOpen: 3, ChannelsTotal: 4, Held: 5, RTT: 6 * time.Millisecond, Reconnects: 7, Connections: 12, ConnectionsWanted: 13,
		UpSince: now.Add(-time.Hour), Transport: tunnelfile.TransportNative, Peer: "p", Kex: "k", Cipher: "c", HostKey: "h", NotHandedOver: "n", NotHandedOverAt: now,
		Forwards: []tunnelfile.ForwardReport{{Kind: tunnelfile.LocalForward, Listen: "l", Target: "t", ChannelsOpen: 8, ChannelsTotal: 9, BytesSent: 10, BytesReceived: 11}},
	}
	want := Statistics{
		1, 2, 3, 4, 5, 6 * time.Millisecond, 7, 12, 13, time.Hour, "native", "p", "k", "c", "h", "n", now,
		[]ForwardStatistics{{"LocalForward", "l", "t", 8, 9, 10, 11}},
	}
	if got, err := withProperties(Statistics{}, properties(statisticsOf(report, now))); err != nil || !reflect.DeepEqual(got, want) || got.Empty() {
		t.Errorf("statistics: %v\n got %+v\nwant %+v", err, got, want)
	}
	if got, err := withProperties(Statistics{}, properties(statisticsOf(tunnelfile.Report{Name: "n", State: tunnelfile.Inactive}, now))); err != nil || !got.Empty() {
		t.Errorf("statistics of what does not run: %v, %+v", err, got)
	}
}

// TestSomeProperties: a change of some leaves the rest, and what the old value's holders have.
func TestSomeProperties(t *testing.T) {
	old := listing.Tunnel{Name: "a", State: tunnelfile.Up, LocalForward: []string{"1", "2"}}
	new, err := withProperties(old, map[string]dbus.Variant{"State": dbus.MakeVariant("retrying"), "LocalForward": dbus.MakeVariant([]string{"3"})})
	if err != nil {
		t.Fatal(err)
	}
	if new.Name != "a" || new.State != tunnelfile.Retrying || !slices.Equal(new.LocalForward, []string{"3"}) {
		t.Errorf("got %+v", new)
	}
	if !slices.Equal(old.LocalForward, []string{"1", "2"}) {
		t.Errorf("the old one changed: %v", old.LocalForward)
	}
	if _, err := withProperties(old, map[string]dbus.Variant{"State": dbus.MakeVariant(uint64(1))}); err == nil {
		t.Error("a number was taken for a state")
	}
}

func TestDiffering(t *testing.T) {
	old := listing.Tunnel{Name: "a", State: tunnelfile.Connecting}
	new := old
	if d := differing(properties(old), properties(new)); len(d) != 0 {
		t.Errorf("nothing differs, and yet: %v", d)
	}
	new.State, new.LocalForward = tunnelfile.Up, []string{"1"}
	if d := slices.Sorted(maps.Keys(differing(properties(old), properties(new)))); !slices.Equal(d, []string{"LocalForward", "State"}) {
		t.Errorf("differing: %v", d)
	}
}
