//go:build bench

package bench

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	rounds = flag.Int("rounds", 3, "how often each program has its turn")
	only   = flag.String("only", "", "of the programs in the black hole, those whose names contain this")
	size   = flag.Int64("size", 256, "MiB a bulk transfer moves")
	docs   = flag.String("docs", "", "folder for the tables and their pictures")
	with   = flag.String("with", "", "another program, as NAME=COMMAND; in it {local}, {socks}, {target}, {host}, {port}, {user}, {identity} and {known_hosts} stand for what it has to serve")
	before = flag.String("before", "", "another build of holdfast-tunnel to compare with")
	idle   = flag.Duration("idle", time.Minute, "how long idle programs are watched; their CPU is extrapolated to five minutes")
	chosen = flag.String("programs", "", "of the programs, the first and those with these names, with semicolons between")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Geteuid() == 0 && os.Getenv("BENCH_INSIDE") == "" {
		os.Exit(inside())
	}
	flag.Set("test.v", "false") // else an sshd's log follows each failure
	fmt.Println(machine())
	status := m.Run()
	if built != "" {
		os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(status)
}

// inside runs this program again, in a network namespace of its own.
func inside() int {
	if err := allowCubic(); err != nil {
		fmt.Fprintln(os.Stderr, "cubic:", err)
		return 1
	}
	settings := strings.Join(tcpSettings(), "' '")
	script := "ip link set lo up && '" + settings + "' && exec \"$0\" \"$@\""
	cmd := exec.Command("sh", append([]string{"-c", script}, os.Args...)...)
	cmd.Env = append(os.Environ(), "BENCH_INSIDE=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
