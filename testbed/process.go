package testbed

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// process is one process. Its start time tells it apart from a later one with the same number.
type process struct {
	pid   int
	start string // field 22 of /proc/PID/stat, clock ticks since boot
}

func (p process) alive() bool {
	_, start, state := stat(p.pid)
	return start == p.start && start != "" && state != "Z"
}

func (p process) signal(s syscall.Signal) {
	if p.alive() {
		syscall.Kill(p.pid, s)
	}
}

// stat reads parent, start time and state of a process from /proc/PID/stat, see proc(5).
func stat(pid int) (parent int, start, state string) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, "", ""
	}
	// The second field is the name in parentheses. The name may have spaces and parentheses itself.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return 0, "", ""
	}
	parent, _ = strconv.Atoi(fields[1])
	return parent, fields[19], fields[0]
}

// descendants are the live children of a process, their children and so on.
func descendants(root int) []process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := make(map[int][]process)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, start, state := stat(pid); start != "" && state != "Z" {
			children[parent] = append(children[parent], process{pid, start})
		}
	}
	var found []process
	queue := []int{root}
	for len(queue) > 0 {
		next := children[queue[0]]
		queue = queue[1:]
		for _, p := range next {
			found = append(found, p)
			queue = append(queue, p.pid)
		}
	}
	return found
}

// Family returns a process and its live descendants.
func Family(pid int) []int {
	pids := []int{pid}
	for _, p := range descendants(pid) {
		pids = append(pids, p.pid)
	}
	return pids
}
