//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// The system calls of a program that moves -size MiB down, and up: on a machine that is busy with
// other things they say more than seconds.
func TestSystemCalls(t *testing.T) {
	testbed.Need(t, "strace")
	w := way{server: here.server(t), target: target(t)}
	for _, p := range programs(withHoldfast, holdfastOpenSSH) {
		r := start(t, p, w)
		for _, direction := range []byte{download, upload} {
			out := testbed.SocketDir(t) + "/strace"
			trace := exec.Command("strace", "-f", "-c", "-U", "calls,name", "-o", out)
			for _, pid := range r.pids() {
				trace.Args = append(trace.Args, "-p", strconv.Itoa(pid))
			}
			if err := trace.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second) // strace does not say when it has attached
			before := r.cpu()
			_, err := bulk(r, local, direction, 1, *size*mib)
			spent := r.cpu() - before
			trace.Process.Signal(os.Interrupt)
			trace.Wait()
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("%s, %c, %v under strace\n%s", p.name, direction, spent, text)
		}
		r.stop()
	}
}
