package dbusapi

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// message is a signal with this body, as it is on the wire.
func message(t testing.TB, body ...any) []byte {
	t.Helper()
	m := dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath: dbus.MakeVariant(EntryPath), dbus.FieldInterface: dbus.MakeVariant(propertiesInterface), dbus.FieldMember: dbus.MakeVariant("PropertiesChanged"),
		dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf(body...)),
	}, Body: body}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzValues takes in what a peer may send as properties, statistics, problems or errors: values
// of any types under the names that are known. Nothing panics, what is of a wrong type is an
// error, and what is taken goes out as it came in.
func FuzzValues(f *testing.F) {
	for _, props := range []map[string]dbus.Variant{
		properties(listing.Tunnel{Name: "a", Text: "x", LocalForward: []string{"1:a:1"}, Forwards: []tunnelfile.ForwardReport{{Kind: tunnelfile.LocalForward}}}),
		properties(listing.Global{Version: "1", Problems: []tunnelfile.Problem{{Path: "/a", Line: 3}}}),
		{"Name": dbus.MakeVariant(uint64(1)), "StateSince": dbus.MakeVariant("x"), "Forwards": dbus.MakeVariant([]string{"a"})},
		{"Forwards": dbus.MakeVariant([][]dbus.Variant{{dbus.MakeVariant(1.5)}}), "Problems": dbus.MakeVariant(map[string]int32{"a": 1})},
	} {
		f.Add(message(f, TunnelInterface, props, []string{}))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := dbus.DecodeMessage(bytes.NewReader(wire))
		if err != nil {
			return
		}
		var iface string
		var values map[string]dbus.Variant
		var names []string
		if dbus.Store(m.Body, &iface, &values, &names) == nil {
			tunnel, err := withProperties(listing.Tunnel{}, values)
			if err == nil {
				again, err := withProperties(listing.Tunnel{}, properties(tunnel))
				if err != nil || again.Name != sendable(tunnel.Name) || len(again.Forwards) != len(tunnel.Forwards) {
					t.Errorf("%+v comes back as %+v, %v", tunnel, again, err)
				}
			}
			global, err := withProperties(listing.Global{}, values)
			if err == nil && !reflect.DeepEqual(properties(global)["Network"].Value(), sendable(global.Network)) {
				t.Errorf("%+v", global)
			}
			_, _ = withProperties(Statistics{}, values)
		}
		_ = goError(dbus.Error{Name: invalidSettings, Body: m.Body})
		_ = goError(dbus.Error{Name: iface, Body: m.Body})
		for _, path := range []string{iface} {
			_, _ = tunnelfile.NameOfPath(path)
			_ = onEntry(dbus.Message{Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath(path))}}, ManagerInterface)
		}
	})
}
