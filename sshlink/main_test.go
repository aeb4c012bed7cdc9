package sshlink

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/sshlink/config"
)

// source is config.Source where config is an ssh_config(5) text.
type source = config.Source

func TestMain(m *testing.M) {
	// The environment of whoever runs the tests must not reach the rows' agents and keys.
	os.Unsetenv("SSH_AUTH_SOCK")
	os.Unsetenv("XDG_RUNTIME_DIR")
	status := m.Run()
	if left := leftovers(); left != "" && status == 0 {
		fmt.Fprintln(os.Stderr, left)
		status = 1
	}
	os.Exit(status)
}

// leftovers waits for the package's goroutines and this process's children to end, and says
// which have not.
func leftovers() string {
	var left []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left = append(goroutines(), children()...)
		if len(left) == 0 || time.Now().After(end) {
			return strings.Join(left, "\n\n")
		}
	}
}

func goroutines() []string {
	buffer := make([]byte, 1<<20)
	buffer = buffer[:runtime.Stack(buffer, true)]
	var found []string
	for _, stack := range strings.Split(string(buffer), "\n\n")[1:] {
		ours := strings.Contains(stack, "holdfast/sshlink") || strings.Contains(stack, "x/crypto/ssh")
		// The servers of tests run until the end.
		if ours && !strings.Contains(stack, "_test.go") && !strings.Contains(stack, "handshakeTransport).readLoop") {
			found = append(found, "still running: "+stack)
		}
	}
	return found
}

func children() []string {
	var found []string
	for pid, command := range childCommands() {
		found = append(found, fmt.Sprintf("still running: process %d: %s", pid, command))
	}
	return found
}

// childCommands are the command lines of this process's children.
func childCommands() map[int]string {
	commands := make(map[int]string)
	files, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for word := range strings.FieldsSeq(string(text)) {
			pid, _ := strconv.Atoi(word)
			command, _ := os.ReadFile("/proc/" + word + "/cmdline")
			commands[pid] = strings.ReplaceAll(string(command), "\x00", " ")
		}
	}
	return commands
}
