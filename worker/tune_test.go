package worker

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMemoryMax(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("fs/memory.max", "1048576\n")
	write("fs/app.slice/some.service/memory.max", "67108864\n")
	write("fs/app.slice/memory.max", "max\n")
	for _, c := range []struct {
		what, self string
		want       int64
	}{
		{"a unit", "0::/app.slice/some.service\n", 64 << 20},
		{"without a limit", "0::/app.slice\n", math.MaxInt64},
		{"a container", "0::/\n", 1 << 20},
		{"beside controllers of version 1", "1:name=systemd:/x\n0::/app.slice/some.service\n", 64 << 20},
		{"no such group", "0::/gone\n", math.MaxInt64},
	} {
		if got := memoryMax(write("self", c.self), filepath.Join(dir, "fs")); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	if got := memoryMax(filepath.Join(dir, "none"), filepath.Join(dir, "none")); got != math.MaxInt64 {
		t.Errorf("no groups: %d", got)
	}
}

func TestGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct {
		environment       string
		connections, want int
	}{
		{"", 1, 1},
		{"", 2, 2},
		{"", 8, 2},
		{"3", 1, 3},
		{"3", 8, 3},
		{"all", 1, 1}, // Go takes no notice of it either
	} {
		t.Setenv("GOMAXPROCS", c.environment)
		tuneFor(c.connections)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("GOMAXPROCS=%q, %d connections: %d, want %d", c.environment, c.connections, got, c.want)
		}
	}
}
