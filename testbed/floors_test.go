package testbed

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/holdfast/holdfast/"

// floors is the house: a folder may import those on floors below its own, and what
// lies inside itself. docs/architecture.md says what each is for. sshlink and cli are houses
// of their own, whose stairs lie between two floors.
var floors = map[string]float64{
	"cmd/holdfast":         7,
	"cmd/holdfastd":        7,
	"cmd/holdfast-tunnel":  7,
	"cmd/holdfast-tray":    7,
	"cli":                  6,
	"cli/add":              5.9,
	"cli/answer":           5.8,
	"cli/check":            5.8,
	"cli/completion":       5.8,
	"cli/demo":             5.8,
	"cli/help":             5.8,
	"cli/history":          5.8,
	"cli/importexport":     5.9,
	"cli/logs":             5.7,
	"cli/top":              5.8,
	"cli/trust":            5.9,
	"cli/verb":             5.7,
	"cli/runas":            5.7,
	"cli/session":          5.6,
	"cli/tunnel":           5.4,
	"cli/terminal":         5.4,
	"cli/flags":            5.3,
	"cli/journalctl":       5.3,
	"cli/jsonout":          5.2,
	"cli/advice":           5.2,
	"cli/layout":           5.2,
	"tray":                 6,
	"dbusapi":              5,
	"manager":              4,
	"manager/design":       3,
	"worker":               4,
	"checkup":              4,
	"portable":             4,
	"portable/shell":       2,
	"sshlink":              3,
	"sshlink/native":       2.8,
	"sshlink/openssh":      2.8,
	"sshlink/login":        2.6,
	"sshlink/hostkeys":     2.4,
	"sshlink/wire":         2.2,
	"sshlink/config":       2,
	"worker/forward":       3,
	"worker/socks":         2,
	"worker/keeper":        3,
	"worker/answers":       3.5,
	"worker/pool":          3.5,
	"internal/sockets":     2,
	"internal/filewatch":   1,
	"systemdctl":           2,
	"netwatch":             2,
	"internal/keyring":     2,
	"internal/report":      2.2,
	"internal/listing":     2,
	"internal/metrics":     2,
	"tunnelfile":           1,
	"internal/asking":      1,
	"internal/bus":         1,
	"internal/fault":       0,
	"internal/atomicfile":  0,
	"internal/text":        0,
	"internal/lazyregexp":  0,
	"internal/program":     1,
	"internal/journal":     0,
	"internal/openmetrics": 0,
	"internal/socketio":    0,
	"internal/timerfd":     0,
	"internal/gomaxprocs":  0,
	"internal/words":       0,
}

// strangers must not be imported, although the floors alone would allow it.
var strangers = map[string][]string{
	"cli":               {"manager", "worker", "systemdctl", "netwatch", "worker/forward", "worker/keeper", "sshlink"},
	"cli/trust":         {"manager", "worker", "systemdctl", "netwatch", "worker/forward", "worker/keeper"}, // it asks servers for their host keys
	"tray":              {"manager", "worker", "systemdctl", "netwatch", "sshlink", "worker/forward", "worker/keeper"},
	"cmd/holdfast-tray": {"manager", "worker", "systemdctl", "netwatch", "sshlink", "worker/forward", "worker/keeper"},
	"worker":            {"systemdctl", "netwatch", "internal/keyring"},
	"checkup":           {"systemdctl", "netwatch", "internal/keyring"},
	"portable":          {"sshlink", "netwatch", "worker/forward", "worker/keeper", "internal/keyring"},
	"manager":           {"sshlink", "worker/forward", "worker/keeper", "internal/keyring"},
	"dbusapi":           {"internal/keyring"},
}

// room is the folder of the house that a package belongs to: itself or what it lies in.
func room(pkg string) string {
	for p := pkg; p != "."; p = path.Dir(p) {
		if _, ok := floors[p]; ok || p == "testbed" {
			return p
		}
	}
	return ""
}

// strangersOf are those of a room, or of the house it lies in where it names none.
func strangersOf(room string) []string {
	for ; room != "."; room = path.Dir(room) {
		if own, ok := strangers[room]; ok {
			return own
		}
	}
	return nil
}

// wrong says why the package at folder pkg must not import imported, or "".
// Both are folders of this module; test says that the importing file is a test.
func wrong(pkg, imported string, test bool) string {
	from, to := room(pkg), room(imported)
	switch {
	case from == "":
		return pkg + " is on no floor: give it one in floors_test.go and docs/architecture.md"
	case to == "":
		return pkg + " imports " + imported + ", which is on no floor"
	case from == to:
		return ""
	case to == "testbed":
		if test {
			return ""
		}
		return pkg + " imports the testbed, which is for tests only"
	case from == "testbed":
		if test {
			return ""
		}
		return "testbed imports " + imported + "; it stands outside the house"
	case floors[to] >= floors[from]:
		return fmt.Sprintf("%s (floor %v) imports %s (floor %v): imports go down", pkg, floors[from], imported, floors[to])
	case slices.Contains(strangersOf(from), to):
		return pkg + " must not know " + imported
	}
	return ""
}

func TestFloors(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// Files are parsed one by one, whatever their build tags: go list would leave some out.
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && file != root || entry.Name() == "testdata" || file == filepath.Join(root, "bin")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imported, module); ok {
				if why := wrong(filepath.Dir(rel), ours, strings.HasSuffix(file, "_test.go")); why != "" {
					t.Errorf("%s: %s", rel, why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFloorsTellWrong keeps TestFloors honest: each of these imports must be refused.
func TestFloorsTellWrong(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		test          bool
	}{
		{"tunnelfile", "worker/keeper", false},
		{"internal/fault", "tunnelfile", false},
		{"internal/attic", "internal/text", false},
		{"worker/keeper", "worker/forward", false},
		{"worker/keeper", "worker/forward", true},
		{"worker/forward", "sshlink", false},
		{"worker", "systemdctl", false},
		{"worker/deep", "systemdctl", false},
		{"internal/sockets", "systemdctl", false},
		{"checkup", "worker", false},
		{"portable", "manager", false},
		{"portable", "sshlink", false},
		{"sshlink/native", "sshlink/openssh", false},
		{"sshlink/openssh", "sshlink/native", false},
		{"sshlink/login", "sshlink/native", false},
		{"sshlink/hostkeys", "sshlink/login", false},
		{"portable", "internal/keyring", false},
		{"checkup/machine", "systemdctl", false},
		{"manager", "dbusapi", false},
		{"manager", "worker/keeper", false},
		{"dbusapi", "cli", false},
		{"tray", "cli", false},
		{"tray", "manager", false},
		{"cmd/holdfast", "cmd/holdfastd", false},
		{"manager", "testbed", false},
		{"testbed", "tunnelfile", false},
		{"attic", "tunnelfile", false},
		{"manager", "attic", false},
	} {
		if wrong(c.pkg, c.imported, c.test) == "" {
			t.Errorf("%s may import %s (test %v)", c.pkg, c.imported, c.test)
		}
	}
}

// TestFloorsLinked looks at all that ends up in a program or a package, libraries included.
func TestFloorsLinked(t *testing.T) {
	Need(t, "go")
	const sshClient = "golang.org/x/crypto/ssh"
	for _, c := range []struct {
		program string
		without []string
	}{
		{"sshlink/config", []string{sshClient}},
		{"portable", []string{sshClient}},
		{"manager", []string{sshClient}},
		{"cmd/holdfast", []string{"github.com/getlantern/"}},
		{"cmd/holdfastd", []string{"github.com/getlantern/"}},
		{"cmd/holdfast-tunnel", []string{
			"github.com/getlantern/", "github.com/godbus/",
			module + "systemdctl", module + "netwatch", module + "manager", module + "dbusapi",
		}},
	} {
		t.Run(c.program, func(t *testing.T) {
			if files, _ := filepath.Glob(filepath.Join("..", c.program, "*.go")); len(files) == 0 {
				t.Fatalf("%s has no Go files", c.program)
			}
			cmd := exec.Command("go", "list", "-deps", "./"+c.program)
			cmd.Dir = ".."
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, linked := range strings.Fields(string(out)) {
				for _, prefix := range c.without {
					if strings.HasPrefix(linked, prefix) {
						t.Errorf("links %s", linked)
					}
				}
			}
		})
	}
}
