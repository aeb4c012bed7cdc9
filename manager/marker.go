package manager

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// downMarkers store, across restarts of the daemon, which tunnels a person stopped: one file for
// each tunnel. A file has the time at which this service manager started (µs of CLOCK_MONOTONIC).
// A file with another time is stale, because "down" ends with the manager's next start.
type downMarkers struct {
	dir  string
	life uint64
}

func (d downMarkers) path(name string) string { return filepath.Join(d.dir, name) }

// set writes or removes a tunnel's marker.
func (d downMarkers) set(name string, down bool) error {
	if !down {
		if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	err := os.WriteFile(d.path(name), []byte(strconv.FormatUint(d.life, 10)+"\n"), 0o600)
	if err != nil {
		_ = os.Remove(d.path(name)) // half a marker would be ignored by all
	}
	return err
}

// all returns the names of the tunnels that have a marker, and removes stale markers.
func (d downMarkers) all() (map[string]bool, error) {
	down := make(map[string]bool)
	entries, err := os.ReadDir(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return down, nil
	}
	for _, e := range entries {
		if !tunnelfile.ValidName(e.Name()) {
			continue
		}
		text, readErr := os.ReadFile(d.path(e.Name()))
		if readErr != nil {
			err = readErr
			continue
		}
		if strings.TrimSpace(string(text)) == strconv.FormatUint(d.life, 10) {
			down[e.Name()] = true
		} else {
			_ = os.Remove(d.path(e.Name())) // if this fails, it is ignored the next time too
		}
	}
	return down, err
}
