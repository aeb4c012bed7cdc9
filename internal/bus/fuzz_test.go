package bus

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/godbus/dbus/v5"
)

// FuzzHeader reads headers by our reader and by the library's: of a message that the library
// takes, both read the same, and ours takes no message for another.
func FuzzHeader(f *testing.F) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, m := range []dbus.Message{
			{Type: dbus.TypeMethodCall, Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath("/a/b")), dbus.FieldInterface: dbus.MakeVariant("a.b"), dbus.FieldMember: dbus.MakeVariant("M"),
				dbus.FieldSender: dbus.MakeVariant(":1.2"), dbus.FieldDestination: dbus.MakeVariant("c.d"), dbus.FieldSignature: dbus.MakeVariant(dbus.SignatureOf("", true)),
			}, Body: []any{"x", true}},
			{Type: dbus.TypeError, Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldReplySerial: dbus.MakeVariant(uint32(7)), dbus.FieldErrorName: dbus.MakeVariant("a.Error"), dbus.FieldUnixFDs: dbus.MakeVariant(uint32(1)),
			}},
		} {
			var b bytes.Buffer
			if err := m.EncodeTo(&b, order); err != nil {
				f.Fatal(err)
			}
			f.Add(b.Bytes())
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := headerOf(b)
		m, err := dbus.DecodeMessage(bytes.NewReader(b))
		if err != nil || m.Type == 0 || b[0] != 'l' && b[0] != 'B' {
			return
		}
		if !ok {
			return // refused: fewer are taken than could be
		}
		text := func(field dbus.HeaderField) string {
			switch v := m.Headers[field].Value().(type) {
			case string:
				return v
			case dbus.ObjectPath:
				return string(v)
			case dbus.Signature:
				return v.String()
			}
			return ""
		}
		for field, got := range map[dbus.HeaderField]string{
			dbus.FieldPath: h.path, dbus.FieldInterface: h.iface, dbus.FieldMember: h.member,
			dbus.FieldSender: h.sender, dbus.FieldDestination: h.destination, dbus.FieldSignature: h.signature,
		} {
			if want := text(field); got != want {
				t.Errorf("field %d: %q, the library reads %q", field, got, want)
			}
		}
		if h.kind != m.Type || h.serial != m.Serial() {
			t.Errorf("type %d serial %d, the library reads %d and %d", h.kind, h.serial, m.Type, m.Serial())
		}
	})
}
