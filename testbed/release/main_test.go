//go:build packages

package release

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// root is the checkout.
var root = abs("../..")

// run runs a command in the checkout, and returns what it printed.
func run(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := output(root, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func output(dir string, argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out), err
}

// tool is the path of a program that testbed/tools lists.
func tool(t testing.TB, name string) string {
	t.Helper()
	cmd := exec.Command("testbed/tool", name)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		testbed.NotHere(t, name+" cannot be had: "+err.Error())
	}
	return strings.TrimSpace(string(out))
}

// packages are the packages of the checkout, built once, in a folder; or those that are in HOLDFAST_PACKAGES.
var packages = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("HOLDFAST_PACKAGES"); dir != "" {
		return filepath.Abs(dir)
	}
	if scratch == "" {
		return "", errors.New("no folder for packages")
	}
	dir := filepath.Join(scratch, "packages")
	_, err := output(root, "packaging/build", dir)
	return dir, err
})

// scratch is a folder for what all tests share.
var scratch string

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == loadVerb {
		serveLoad(os.Args[2:])
		return
	}
	var err error
	// The box sees the checkout; its /tmp is its own.
	if scratch, err = filepath.Abs("../../bin/release"); err == nil {
		err = errors.Join(os.RemoveAll(scratch), os.MkdirAll(scratch, 0o755))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(scratch)
	os.Exit(status)
}

// built is the folder of the packages, and the one among them that fits the pattern.
func built(t testing.TB, pattern string) string {
	t.Helper()
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v %v", pattern, files, err)
	}
	return files[0]
}
