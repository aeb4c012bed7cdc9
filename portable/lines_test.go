package portable

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ofPeople are the files of testdata/lines.txt.
func ofPeople(t testing.TB) []peoplesFile {
	text, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		t.Fatal(err)
	}
	var files []peoplesFile
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		last := len(files) - 1
		if path, ok := strings.CutPrefix(line, "file "); ok {
			files = append(files, peoplesFile{path: path})
		} else if names, ok := strings.CutPrefix(line, "names: "); ok {
			files[last].names = strings.Fields(names)
		} else if len(line) > 1 && last >= 0 {
			files[last].becomes = append(files[last].becomes, line[:1])
			files[last].lines = append(files[last].lines, line[2:])
		}
	}
	return files
}

type peoplesFile struct {
	path    string
	becomes []string // of each line
	lines   []string
	names   []string
}

func (f peoplesFile) text() string {
	text := strings.Join(f.lines, "\n") + "\n"
	if strings.HasSuffix(f.path, ".service") {
		return "[Service]" + strings.TrimPrefix("\n"+text, "\n[Service]")
	}
	return text
}

// word is ssh or autossh as anybody would look for it.
var word = regexp.MustCompile(`(^|[^\w.-])(auto)?ssh($|[^\w.:/@-])`)

// TestLinesOfPeople holds what becomes of each line that people have, and that none is passed over
// in silence.
func TestLinesOfPeople(t *testing.T) {
	mentioned := 0
	for _, f := range ofPeople(t) {
		for _, eol := range []string{"\n", "\r\n"} {
			text := strings.ReplaceAll(f.text(), "\n", eol)
			offset := strings.Count(f.text(), "\n") - len(f.lines)
			r := machine(t).FromText(f.path, text)
			became := make(map[int]string)
			for _, p := range r.NotTunnels {
				became[p.Line] = "."
			}
			for _, p := range r.Problems {
				became[p.Line] = "!"
			}
			var names []string
			for _, found := range r.Found {
				names = append(names, found.Name)
				_, line, _ := strings.Cut(found.Places[0], f.path+":")
				number, _ := strconv.Atoi(line)
				became[number] = "+"
			}
			for i, line := range f.lines {
				is := word.MatchString(line)
				if is && eol == "\n" {
					mentioned++
				}
				want := strings.TrimLeft(f.becomes[i], " =")
				if got := became[i+1+offset]; got != want && (want != "" || got == "+" || got == "!") {
					t.Errorf("%s:%d: %s\nbecomes %q, want %q", f.path, i+1, line, got, f.becomes[i])
				}
				if is && f.becomes[i] == " " && !strings.Contains(line, "#") {
					t.Errorf("%s:%d: %s\nis passed over", f.path, i+1, line)
				}
			}
			if f.names != nil && !slices.Equal(names, f.names) {
				t.Errorf("%s: named %q, want %q", f.path, names, f.names)
			}
			if t.Failed() && eol == "\n" {
				t.Logf("%s: %v", f.path, append(messages(r.Problems), messages(r.NotTunnels)...))
			}
		}
	}
	if mentioned < 100 {
		t.Errorf("only %d lines mention ssh", mentioned)
	}
}
