package cli

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

var update = flag.Bool("update", false, "write what is made of the program's own words: man pages, golden files, schemas")

const (
	manBegins = ".SH VERBS\n"
	manEnds   = ".\\\" The end of what is made.\n"
)

// TestManPages: holdfast.1 has each verb's page as holdfast help prints it, every reason is
// in it, and every key of [Tunnel] in holdfast.tunnel(5).
func TestManPages(t *testing.T) {
	const verbsPage = "../packaging/man/holdfast.1"
	page := read(t, verbsPage)
	before, rest, _ := strings.Cut(page, manBegins)
	_, after, ok := strings.Cut(rest, manEnds)
	if !ok {
		t.Fatalf("%s has no place for the verbs", verbsPage)
	}
	whole := before + manBegins + manOfVerbs() + manEnds + after
	switch {
	case whole == page:
	case *update:
		if err := os.WriteFile(verbsPage, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what holdfast help says: go test ./cli -run ManPages -update", verbsPage)
	}
	for _, reason := range fault.Reasons() {
		if !strings.Contains(page, `\fB`+roff(string(reason))+`\fR`) {
			t.Errorf("holdfast.1 does not have the reason %s", reason)
		}
	}
	filePage := strings.ReplaceAll(read(t, "../packaging/man/holdfast.tunnel.5"), `\-`, "-")
	for _, key := range tunnelfile.Keys() {
		if !strings.Contains(filePage, key+"=") {
			t.Errorf("holdfast.tunnel.5 does not have %s=", key)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// manOfVerbs is the pages of all verbs in man(7).
func manOfVerbs() string {
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
	s := &session.Session{Out: &terminal.Printer{}}
	for _, v := range verbs() {
		line(".SS ", roff(strings.TrimSpace("holdfast "+v.Name+" "+v.Args)))
		line(roff(v.Sentence()))
		for _, p := range v.Paragraphs() {
			if p.List == nil {
				line(".PP")
				line(roff(p.Text))
				continue
			}
			terms(&b, p.List)
		}
		var own []verb.Word
		for _, f := range v.Flags(s) {
			if f.Word != "--json" && f.Word != "--system" && !strings.HasPrefix(f.Word, "--color") {
				own = append(own, f)
			}
		}
		terms(&b, own)
		if v.NoJSON != "" {
			line(".PP")
			line(roff("There is no --json: " + v.NoJSON + "."))
		}
		line(".PP")
		line(".EX")
		for _, e := range v.Examples {
			line(roff(e.Command))
			line(roff("    " + e.Does))
		}
		line(".EE")
	}
	return b.String()
}

// terms is a list of words and what they mean.
func terms(b *strings.Builder, list []verb.Word) {
	for _, d := range list {
		b.WriteString(".TP\n.B " + roff(d.Word) + "\n" + roff(d.Does) + "\n")
	}
}

// roff is text that troff prints as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "→", "->").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
