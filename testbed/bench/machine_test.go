//go:build bench

package bench

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// machine says in a line what the figures were measured on.
func machine() string {
	var words []string
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				words = append(words, strings.TrimSpace(value))
				break
			}
		}
	}
	words = append(words, strconv.Itoa(runtime.NumCPU())+" CPUs", runtime.Version())
	if out, err := exec.Command("ssh", "-V").CombinedOutput(); err == nil {
		words = append(words, strings.TrimSpace(string(out)))
	}
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		words = append(words, strings.TrimSpace(string(out)))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		words = append(words, "load "+strings.Fields(string(load))[0])
	}
	return strings.Join(words, "; ")
}
