package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// TestManPages: every verb and every key of [Tunnel] is in its page.
func TestManPages(t *testing.T) {
	page := func(name string) string {
		text, err := os.ReadFile("../packaging/man/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), `\-`, "-")
	}
	verbsPage := page("holdfast.1")
	for _, v := range verbs() {
		if v.name != "help" && !strings.Contains(verbsPage, "\n\\fB"+v.name+"\\fR") && !strings.Contains(verbsPage, "\n.B "+v.name+"\n") {
			t.Errorf("holdfast.1 does not have %s", v.name)
		}
	}
	filePage := page("holdfast.tunnel.5")
	for _, key := range tunnelfile.Keys() {
		if !strings.Contains(filePage, key+"=") {
			t.Errorf("holdfast.tunnel.5 does not have %s=", key)
		}
	}
}
