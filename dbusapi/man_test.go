package dbusapi

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5/introspect"
)

var update = flag.Bool("update", false, "write holdfast-dbus.5 anew")

// TestManPage: holdfast-dbus(5) is the contract in words, made of the XML.
func TestManPage(t *testing.T) {
	const file = "../packaging/man/holdfast-dbus.5"
	want := manPage()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want {
		t.Errorf("%s is not what the XML says (%v): go test ./dbusapi -run ManPage -update", file, err)
	}
}

// manPage is the contract in man(7).
func manPage() string {
	var b strings.Builder
	b.WriteString(`.\" Made of io.github.holdfast.Holdfast1.xml: go test ./dbusapi -run ManPage -update
.TH HOLDFAST-DBUS 5 "" "Holdfast" "Holdfast"
.SH NAME
holdfast\-dbus \- the D-Bus interface of holdfastd
.SH DESCRIPTION
.BR holdfastd (8)
has the name
.B ` + BusName + `
on the session bus; with
.B \-\-system
on the system bus. It is activatable. Its objects are
.TP
.B ` + string(EntryPath) + `
Manager, Agent, and org.freedesktop.DBus.ObjectManager.
.TP
.BI ` + string(tunnelsPath) + `/ ESCAPED
Tunnel; ESCAPED is the tunnel's name as
.BR sd_bus_path_encode (3)
does it.
.PP
Changes are announced by the standard signals PropertiesChanged, InterfacesAdded and InterfacesRemoved, and by none of its own.
Members are added, never renamed or removed.
On the system bus root may change tunnels, and whom polkit allows; polkit asks a person about calls with the flag ALLOW_INTERACTIVE_AUTHORIZATION.
`)
	for _, name := range []string{ManagerInterface, TunnelInterface, AgentInterface} {
		i := contract()[name]
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(roff(i.Name[strings.LastIndex(i.Name, ".")+1:])))
		fmt.Fprintf(&b, "Interface\n.BR %s .\n%s\n", roff(i.Name), roff(docOf(i.Annotations)))
		for _, m := range i.Methods {
			term(&b, m.Name+" ("+arguments(m, "in")+")"+returns(m), docOf(m.Annotations))
		}
		for _, p := range i.Properties {
			term(&b, p.Name+" "+p.Type, docOf(p.Annotations))
		}
	}
	b.WriteString(`.SH EXAMPLES
.EX
busctl \-\-user tree ` + BusName + `
busctl \-\-user call ` + BusName + ` \e
    ` + string(EntryPath) + ` \e
    ` + ManagerInterface + ` Start as 1 web
.EE
.SH SEE ALSO
.BR holdfast (1),
.BR holdfastd (8),
.BR holdfast.tunnel (5),
.BR busctl (1)
`)
	return b.String()
}

// term is a member and what there is to say of it.
func term(b *strings.Builder, member, doc string) {
	b.WriteString(".TP\n.B " + roff(member) + "\n")
	if doc != "" {
		b.WriteString(roff(doc) + "\n")
	}
}

// docOf is the sentence that the contract has for a member.
func docOf(annotations []introspect.Annotation) string {
	doc := ""
	for _, a := range annotations {
		switch a.Name {
		case "org.gtk.GDBus.DocString":
			doc = strings.TrimSpace(a.Value + " " + doc)
		case "org.freedesktop.DBus.Property.EmitsChangedSignal":
			doc += "(" + a.Value + ")"
		}
	}
	return doc
}

// arguments are those of one direction: "name s, text s".
func arguments(m introspect.Method, direction string) string {
	var all []string
	for _, a := range m.Args {
		if a.Direction == direction {
			all = append(all, a.Name+" "+a.Type)
		}
	}
	return strings.Join(all, ", ")
}

func returns(m introspect.Method) string {
	if out := arguments(m, "out"); out != "" {
		return " -> " + out
	}
	return ""
}

// roff is text that troff prints as it is.
func roff(text string) string { return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text) }
