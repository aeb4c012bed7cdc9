package tunnelfile

import (
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "9": true, "db-1.eu_west": true, strings.Repeat("x", 64): true,
		"": false, "-a": false, ".a": false, "_a": false, "a b": false, "a/b": false, "a@b": false,
		"ä": false, "a\x00": false, "..": false, strings.Repeat("x", 65): false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
}

func TestUnitNames(t *testing.T) {
	if got := ServiceName("a-b"); got != "holdfast-tunnel@a-b.service" {
		t.Error(got)
	}
	if got := SocketName("a-b"); got != "holdfast-tunnel@a-b.socket" {
		t.Error(got)
	}
	for unit, want := range map[string]string{
		"holdfast-tunnel@a-b.service":      "a-b",
		"holdfast-tunnel@a-b.socket":       "a-b",
		"holdfast-tunnel@x.service.socket": "x.service",
		"holdfast-tunnel@x.socket.service": "x.socket",
		"holdfast-tunnel@a.timer":          "",
		"holdfast-tunnel@.service":         "",
		"holdfast-tunnel@-a.service":       "",
		"holdfast-tunnel@a":                "",
		"holdfastd.service":                "",
		"":                                 "",
	} {
		if got, ok := NameOfUnit(unit); got != want || ok != (want != "") {
			t.Errorf("NameOfUnit(%q) = %q, %v", unit, got, ok)
		}
	}
}

func TestObjectPaths(t *testing.T) {
	const base = "/io/github/holdfast/Holdfast1/tunnel/"
	// As systemd's sd_bus_path_encode does it: see bus_label_escape and its tests.
	for name, want := range map[string]string{
		"web": "web", "a-b": "a_2db", "9": "_39", "a9": "a9", "9a": "_39a", "a.b_c": "a_2eb_5fc",
	} {
		if got := ObjectPath(name); got != base+want {
			t.Errorf("ObjectPath(%q) = %q", name, got)
		}
		if got, ok := NameOfPath(base + want); got != name || !ok {
			t.Errorf("NameOfPath(%q) = %q, %v", base+want, got, ok)
		}
	}
	for _, path := range []string{base, base + "_", base + "a_2Db", base + "a_2", base + "a/b", base + "_61", "/", base + "a_20b", "web"} {
		if got, ok := NameOfPath(path); ok {
			t.Errorf("NameOfPath(%q) = %q", path, got)
		}
	}
}

func TestLabels(t *testing.T) {
	for text, label := range map[string]string{
		"": "_", "_": "_5f", "a b": "a_20b", "\xff": "_ff", "123_abc_!": "_3123_5fabc_5f_21",
	} {
		if got := EncodeLabel(text); got != label {
			t.Errorf("EncodeLabel(%q) = %q", text, got)
		}
		if got := DecodeLabel(label); got != text {
			t.Errorf("DecodeLabel(%q) = %q", label, got)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{"", "a", "a-b", "9", "holdfast-tunnel@a.service", "/io/github/holdfast/Holdfast1/tunnel/a_2db", "_", "ä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := DecodeLabel(EncodeLabel(s)); got != s {
			t.Errorf("label of %q comes back as %q", s, got)
		}
		if name, ok := NameOfUnit(s); ok && ServiceName(name) != s && SocketName(name) != s {
			t.Errorf("unit %q is of %q, whose units are others", s, name)
		}
		if name, ok := NameOfPath(s); ok && ObjectPath(name) != s {
			t.Errorf("path %q is of %q, whose path is another", s, name)
		}
		if !ValidName(s) {
			return
		}
		if name, ok := NameOfUnit(ServiceName(s)); !ok || name != s {
			t.Errorf("service of %q is of %q", s, name)
		}
		if name, ok := NameOfUnit(SocketName(s)); !ok || name != s {
			t.Errorf("socket of %q is of %q", s, name)
		}
		if name, ok := NameOfPath(ObjectPath(s)); !ok || name != s {
			t.Errorf("path of %q is of %q", s, name)
		}
		if name, ok := NameOfFile("/x/" + s + Suffix); !ok || name != s {
			t.Errorf("file of %q is of %q", s, name)
		}
		if name, ok := NameOfFile("/x/" + s + Suffix + ".d/10.conf"); !ok || name != s {
			t.Errorf("drop-in of %q is of %q", s, name)
		}
	})
}
