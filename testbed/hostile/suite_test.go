package hostile

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// whole in the environment makes the suite play every attack, also those that take longer, and
// names the file that gets the table.
const whole = "HOLDFAST_HOSTILE"

// program is holdfast-tunnel as it is shipped: measured without the race detector.
var program struct{ path string }

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "holdfast-hostile")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program.path = filepath.Join(dir, "holdfast-tunnel")
		build := exec.Command("go", "build", "-o", program.path, "github.com/holdfast/holdfast/cmd/holdfast-tunnel")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
		// An attack waits most of its time.
		if flag.Lookup("test.parallel").Value.String() == fmt.Sprint(flag.Lookup("test.parallel").DefValue) {
			flag.Set("test.parallel", "4")
		}
		return m.Run()
	}())
}

// TestHostile plays every attack on both transports, beside an honest tunnel.
func TestHostile(t *testing.T) {
	b := startBeside(t)
	var mu sync.Mutex
	results := map[string]result{}
	t.Run("attack", func(t *testing.T) {
		for _, a := range attacks {
			for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
				if a.only != "" && a.only != transport || a.long && os.Getenv(whole) == "" {
					continue
				}
				name := a.name + "/" + string(transport)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					r := a.run(t, transport, b)
					mu.Lock()
					defer mu.Unlock()
					results[name] = r
				})
			}
		}
	})
	if testing.Verbose() || t.Failed() {
		fmt.Print(table(results))
	}
	if path := os.Getenv(whole); path != "" {
		if err := os.WriteFile(path, []byte(table(results)), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// table is the results, in the order of the attacks.
func table(results map[string]result) string {
	var b strings.Builder
	line := func(cells ...any) { fmt.Fprintf(&b, "%-62s %-8s %5v %7v %4v %6v %8v\n", cells...) }
	line("attack", "over", "tries", "crashed", "lost", "let in", "memory")
	var sum result
	for _, a := range attacks {
		for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
			r, ok := results[a.name+"/"+string(transport)]
			if !ok || a.only != "" && a.only != transport {
				continue
			}
			line(a.name, transport, r.tries, r.crashed, r.lost, r.letIn, fmt.Sprintf("%.0f MiB", float64(r.memory)/1024))
			sum.tries += r.tries
			sum.crashed += r.crashed
			sum.lost += r.lost
			sum.letIn += r.letIn
			sum.memory = max(sum.memory, r.memory)
		}
	}
	line("all", "", sum.tries, sum.crashed, sum.lost, sum.letIn, fmt.Sprintf("%.0f MiB", float64(sum.memory)/1024))
	return b.String()
}
