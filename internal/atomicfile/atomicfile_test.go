package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestMode(t *testing.T) {
	for _, c := range []struct{ before, perm, want fs.FileMode }{
		{0, 0o600, 0o600}, {0, 0o640, 0o640}, {0o604, 0o644, 0o604}, {0o644, 0o600, 0o600},
	} {
		path := filepath.Join(t.TempDir(), "f")
		if c.before != 0 {
			if err := os.WriteFile(path, nil, c.before); err != nil {
				t.Fatal(err)
			}
		}
		if err := Write(path, []byte("x"), c.perm); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != c.want {
			t.Errorf("%o over %o: got %v, %v, want %o", c.perm, c.before, info.Mode(), err, c.want)
		}
	}
}

// TestSeveralWriters has several goroutines write one file. It ends as one of them wrote it, and
// nothing stays beside it.
func TestSeveralWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for range 20 {
				if err := Write(path, []byte(strings.Repeat(fmt.Sprint(i), 10000)), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	content, err := os.ReadFile(path)
	if err != nil || len(content) != 10000 || strings.Trim(string(content), string(content[:1])) != "" {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
