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

// downMarkers remember which tunnels a person stopped, one file a tunnel, across
// restarts of the daemon. Each carries when this service manager started (µs of
// CLOCK_MONOTONIC): one of an earlier life is stale, since "down" lasts until the
// manager's next start at most.
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
		_ = os.Remove(d.path(name)) // half a marker says nothing, and all ignores it
	}
	return err
}

// all is the names of the tunnels with a marker of this life; stale ones are removed.
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
			_ = os.Remove(d.path(e.Name())) // it will be ignored again next time
		}
	}
	return down, err
}
