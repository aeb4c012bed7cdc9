//go:build testbed

package tunnelfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// TestWriteToFullDisk holds that a disk that is full costs nothing but the change.
func TestWriteToFullDisk(t *testing.T) {
	testbed.NeedRootBox(t)
	dir := t.TempDir()
	testbed.Command(t, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir)
	t.Cleanup(func() { testbed.Output("umount", "-l", dir) })
	path := filepath.Join(dir, "a.tunnel")
	if err := Write(path, "old"); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, strings.Repeat("x", 128<<10)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" {
		t.Errorf("the file is %q, %v", text, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if err := Write(path, "new"); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}
