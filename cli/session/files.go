package session

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Editable is the tunnels that the patterns name, for verbs that change files. One that is not
// there because its file is not well is its file alone: that can be changed, mended and removed.
// The daemon may not have heard of a file that was written just now: it reads the folders when
// it is asked for a tunnel that it does not know.
func (s *Session) Editable(client *dbusapi.Client, patterns []string) ([]listing.Tunnel, error) {
	for again := false; ; again = true {
		now, err := client.Snapshot(s.Ctx)
		if err != nil {
			return nil, err
		}
		found, err := tunnel.Match(s.withBroken(now.Tunnels, now.Global.Problems), nil, patterns)
		if again || !errors.Is(err, listing.ErrNoSuchTunnel) {
			return found, errors.Join(err, s.readTexts(client, found))
		}
		for _, p := range patterns {
			if !tunnelfile.ValidName(p) {
				continue
			}
			if _, err := client.Tunnel(s.Ctx, p); err != nil && !errors.Is(err, listing.ErrNoSuchTunnel) {
				return nil, err
			}
		}
	}
}

// readTexts reads the files' texts that were not told to all, as those of the system's are not.
func (s *Session) readTexts(client *dbusapi.Client, tunnels []listing.Tunnel) error {
	for i, t := range tunnels {
		if t.Text != "" || t.Unit == "" {
			continue // it has a text, or is known from its problems alone
		}
		text, err := client.Text(s.Ctx, t.Name) // first: a person may be asked for it
		if err != nil {
			return err
		}
		if tunnels[i], err = client.Tunnel(s.Ctx, t.Name); err != nil {
			return err
		}
		tunnels[i].Text = text
	}
	return nil
}

// EditableOne is likewise the one tunnel of this name.
func (s *Session) EditableOne(client *dbusapi.Client, name string) (listing.Tunnel, error) {
	if !tunnelfile.ValidName(name) {
		return listing.Tunnel{}, fmt.Errorf("%w: %s", listing.ErrInvalidName, name)
	}
	found, err := s.Editable(client, []string{name})
	if err != nil {
		return listing.Tunnel{}, err
	}
	return found[0], nil
}

// withBroken is all tunnels, and those that are none for what is wrong with their files.
func (s *Session) withBroken(all []listing.Tunnel, problems []tunnelfile.Problem) []listing.Tunnel {
	for _, p := range problems {
		name, ok := tunnelfile.NameOfFile(p.Path)
		if !ok || slices.ContainsFunc(all, func(t listing.Tunnel) bool { return t.Name == name }) {
			continue
		}
		t := listing.Tunnel{Name: name}
		if paths, err := s.Files(name); err == nil {
			t.FilePath = paths[0]
			content, _ := os.ReadFile(t.FilePath) // one that cannot be read can be removed
			t.Text = string(content)
		}
		all = append(all, t)
	}
	return all
}

// OnDisk is the tunnels that the patterns name, from the folders alone; those whose files are
// not well have no more than their names.
func (s *Session) OnDisk(patterns []string) ([]listing.Tunnel, error) {
	files, problems := s.Dirs().LoadAll()
	var all []listing.Tunnel
	for _, f := range files {
		all = append(all, listing.Tunnel{Name: f.Name, FilePath: f.Path, Text: f.Text, Tags: f.Tags, Destination: f.Destination})
	}
	all = s.withBroken(all, problems)
	slices.SortFunc(all, func(a, b listing.Tunnel) int { return strings.Compare(a.Name, b.Name) })
	return tunnel.Match(all, nil, patterns)
}

// Files are the paths that a tunnel is read from.
func (s *Session) Files(name string) ([]string, error) {
	paths, err := s.Dirs().Files(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, name)
	}
	return paths, err
}

// Dirs is where tunnel files are.
func (s *Session) Dirs() tunnelfile.Dirs {
	if s.System {
		return tunnelfile.SystemDirs()
	}
	return tunnelfile.UserDirs(os.Getenv)
}

// TextOf is what a file says, or standard input where it is "-".
func TextOf(file string) (string, error) {
	if file != "-" {
		text, err := os.ReadFile(file)
		return string(text), err
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return "", advice.Misuse{Message: "which text? A FILE, or one on standard input"}
	}
	text, err := io.ReadAll(os.Stdin)
	return string(text), err
}

// Blame is the problems of one path as those of another.
func Blame(problems tunnelfile.Problems, path, file string) tunnelfile.Problems {
	problems = slices.Clone(problems)
	for i, p := range problems {
		if p.Path == path {
			problems[i].Path = file
		}
	}
	return problems
}
