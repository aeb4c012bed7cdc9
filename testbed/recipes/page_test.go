package recipes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const folder = "../../docs/recipes"

// block is a block of a page that somebody does as it says.
type block struct {
	line int  // of the page
	root bool // run by root
	path string
	text string // a command, or what the file at path holds
}

var blocks = regexp.MustCompile("(?ms)^```\\w+ (run|file)( root)?\n(.*?)^```$")

// read is a page's blocks, in their order.
func read(page string) ([]block, error) {
	text, err := os.ReadFile(filepath.Join(folder, page+".md"))
	if err != nil {
		return nil, err
	}
	var found []block
	for _, at := range blocks.FindAllSubmatchIndex(text, -1) {
		b := block{line: 1 + strings.Count(string(text[:at[0]]), "\n"), root: at[4] >= 0, text: string(text[at[6]:at[7]])}
		if string(text[at[2]:at[3]]) == "file" {
			first, rest, _ := strings.Cut(b.text, "\n")
			path, isPath := strings.CutPrefix(first, "# ")
			if !isPath {
				return nil, fmt.Errorf("%s.md:%d: the first line does not say where the file goes", page, b.line)
			}
			b.path, b.text = path, rest
		}
		found = append(found, b)
	}
	return found, nil
}

// pages are those that TestRecipes runs.
var pages = []string{"database", "socket", "browser", "laptop", "networks", "proxycommands", "certificates", "headless", "container"}

// TestEveryPage sees that no page with something to run is left out, and that the index names all.
func TestEveryPage(t *testing.T) {
	files, err := filepath.Glob(folder + "/*.md")
	if err != nil || len(files) < len(pages) {
		t.Fatal(files, err)
	}
	index, err := os.ReadFile(folder + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		page := strings.TrimSuffix(filepath.Base(file), ".md")
		if page == "README" {
			continue
		}
		if !strings.Contains(string(index), "("+page+".md)") {
			t.Errorf("the index does not name %s.md", page)
		}
		found, err := read(page)
		if err != nil {
			t.Error(err)
		}
		if listed := slices.Contains(pages, page); listed != (len(found) > 0) {
			t.Errorf("%s.md: %d blocks to run; TestRecipes runs it: %v", page, len(found), listed)
		}
	}
}
