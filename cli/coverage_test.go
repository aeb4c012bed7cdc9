package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allVerbs are the verbs of the program, as a shell learns them.
func allVerbs(t *testing.T) (all []string) {
	t.Helper()
	out, err := exec.Command("holdfast", "complete", "--", "").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); word != "" && !strings.HasPrefix(word, "-") {
			all = append(all, word)
		}
	}
	return all
}

// seenElsewhere are verbs that a golden file here, or a session, cannot show, and the test that does.
var seenElsewhere = map[string]map[string]string{
	"golden":  {"demo": "TestForeground in cli/demo plays it", "check": "TestCheckGolden in cli/check"},
	"session": {"demo": "TestForeground in cli/demo plays it"},
}

// TestEveryVerbIsSeen: each verb has a golden file of what it prints when all goes well or not, and a session that
// needs no box.
func TestEveryVerbIsSeen(t *testing.T) {
	seen := map[string][]string{}
	for _, g := range goldenVerbs {
		seen["golden"] = append(seen["golden"], strings.Fields(g.command)[0])
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range regexp.MustCompile(`(?m)^(?:!? ?exec|exits \d) holdfast(?: --[a-z]+)* ([a-z]+)`).FindAllStringSubmatch(string(text), -1) {
			seen["session"] = append(seen["session"], run[1])
		}
	}
	verbs := allVerbs(t)
	if len(verbs) < 20 {
		t.Fatalf("only %q", verbs)
	}
	for kind, all := range seen {
		for _, v := range verbs {
			if !slices.Contains(all, v) && seenElsewhere[kind][v] == "" {
				t.Errorf("holdfast %s has no %s", v, kind)
			}
		}
	}
}
