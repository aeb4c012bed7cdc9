package faults

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// role in the environment makes the test binary be one of the programs that a test
// runs beside itself, some of them in another network namespace.
const role = "HOLDFAST_FAULTS_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "echo":
		echoServer(os.Args[1])
	case "meter":
		meterProgram(os.Args[1:])
	}
	os.Exit(m.Run())
}

// helper starts this binary in a role, in a network namespace unless that is empty,
// and gives each line it prints to line. It ends with the test, or by stop.
func helper(t testing.TB, netns, as string, line func(string), args ...string) (stop func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append([]string{self}, args...)
	if netns != "" {
		argv = append([]string{"ip", "netns", "exec", netns}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), role+"="+as)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			line(scanner.Text())
		}
	})
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		reading.Wait()
		cmd.Wait()
	})
	t.Cleanup(stop)
	return stop
}

var build struct {
	once sync.Once
	path string
	err  error
}

// tunnelProgram is holdfast-tunnel as it is shipped: what make has built, or built now.
func tunnelProgram(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		root, err := filepath.Abs("../..")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(root, "bin", "holdfast-tunnel")
		if os.Getenv("HOLDFAST_BOX") != "" {
			return // run-tests has built it, outside
		}
		dir, err := os.MkdirTemp("", "holdfast-faults")
		if err != nil {
			build.err = err
			return
		}
		build.path = filepath.Join(dir, "holdfast-tunnel")
		cmd := exec.Command("go", "build", "-o", build.path, "./cmd/holdfast-tunnel")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// seconds is a time for the table.
func seconds(d time.Duration) string {
	if d < 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

// table prints rows in columns as wide as they need.
func table(rows [][]string) string {
	width := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if i < 3 {
				b.WriteString(cell + pad + "  ")
			} else {
				b.WriteString(pad + cell + "  ")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
