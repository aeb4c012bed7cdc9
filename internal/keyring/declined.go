package keyring

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/holdfast/holdfast/internal/atomicfile"
)

// Declined are the accounts whose answers the person does not want to have remembered: no program
// offers it again. It is a small JSON file without secrets, which each of our programs that asks may
// read and write.
type Declined struct {
	Path string // empty: nothing is stored
}

// DefaultDeclined is $XDG_STATE_HOME/holdfast/not-remembered.json.
func DefaultDeclined(getenv func(string) string) Declined {
	state := getenv("XDG_STATE_HOME")
	if state == "" && getenv("HOME") != "" {
		state = filepath.Join(getenv("HOME"), ".local/state")
	}
	if state == "" {
		return Declined{}
	}
	return Declined{filepath.Join(state, "holdfast/not-remembered.json")}
}

// Has says whether the account is in the file. A file that cannot be read has none.
func (d Declined) Has(account Account) bool {
	accounts, _ := d.read()
	return slices.Contains(accounts, account)
}

// Add adds the account to the file.
func (d Declined) Add(account Account) error {
	accounts, err := d.read()
	if err != nil || d.Path == "" || slices.Contains(accounts, account) {
		return err
	}
	text, err := json.Marshal(append(accounts, account))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(d.Path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(d.Path, append(text, '\n'), 0o600)
}

func (d Declined) read() ([]Account, error) {
	if d.Path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var accounts []Account
	return accounts, json.Unmarshal(text, &accounts)
}
