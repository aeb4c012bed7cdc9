package testbed

import (
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Forge sends a signal of any name with any body, to one connection, or to all listeners if to is
// empty. A signal to one connection arrives without a match rule.
func Forge(t testing.TB, from *dbus.Conn, to, name string, path dbus.ObjectPath, body ...any) {
	t.Helper()
	if call := from.Send(Forged(to, name, path, body...), nil); call.Err != nil {
		t.Fatal(call.Err)
	}
}

// Forged is the message that Forge sends.
func Forged(to, name string, path dbus.ObjectPath, body ...any) *dbus.Message {
	dot := strings.LastIndex(name, ".")
	headers := map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath: dbus.MakeVariant(path), dbus.FieldInterface: dbus.MakeVariant(name[:dot]), dbus.FieldMember: dbus.MakeVariant(name[dot+1:]),
	}
	if to != "" {
		headers[dbus.FieldDestination] = dbus.MakeVariant(to)
	}
	if len(body) > 0 {
		headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	return &dbus.Message{Type: dbus.TypeSignal, Headers: headers, Body: body}
}

// ForgedOwnerChanges are bodies of a NameOwnerChanged signal about a name: of every length, of
// wrong types, and one that looks right and says that nobody has the name.
func ForgedOwnerChanges(name, owner string) [][]any {
	return [][]any{nil, {name}, {name, owner}, {name, owner, ""}, {name, int32(1), true}, {int32(1), int32(2), int32(3)}, {[]string{name}, "", ""}}
}
