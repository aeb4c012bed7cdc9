package tray

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast/holdfast/internal/atomicfile"
)

// Memory is what the tray remembers from one login to the next.
type Memory struct {
	Muted map[string]bool `json:"muted,omitempty"` // tunnels without notifications
	Shown map[string]bool `json:"told,omitempty"`  // keys of notices that are shown only once
}

// Paths is where the tray stores its small files. A file with an empty path is not stored.
type Paths struct {
	Memory  string // Memory
	Pause   string // Pause, until the end of the session
	Notices string // which notifications are on the screen
}

// DefaultPaths returns $XDG_STATE_HOME/holdfast/tray.json and two files in
// $XDG_RUNTIME_DIR/holdfast.
func DefaultPaths(getenv func(string) string) Paths {
	var p Paths
	state := getenv("XDG_STATE_HOME")
	if state == "" && getenv("HOME") != "" {
		state = filepath.Join(getenv("HOME"), ".local/state")
	}
	if state != "" {
		p.Memory = filepath.Join(state, "holdfast/tray.json")
	}
	if runtime := getenv("XDG_RUNTIME_DIR"); runtime != "" {
		p.Pause = filepath.Join(runtime, "holdfast/pause.json")
		p.Notices = filepath.Join(runtime, "holdfast/notices.json")
	}
	return p
}

// load reads a JSON file into a value. A missing file is no error and changes nothing.
func load(path string, into any) error {
	switch b, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	default:
		return json.Unmarshal(b, into)
	}
}

// save writes a JSON file, whole or not at all. It does nothing if path is empty.
func save(path string, from any) error {
	if path == "" {
		return nil
	}
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, b, 0o600)
}
