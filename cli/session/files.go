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

// Editable returns the tunnels that the patterns name, for verbs that change files. A tunnel whose file
// has errors is included with its file alone, so that it can be changed, mended and removed.
//
// The daemon may not have read a new file yet. It reads its folders when asked for a tunnel that it
// does not know, so a missing one is asked for once, and then everything is read again.
func (s *Session) Editable(patterns []string) (*dbusapi.Client, []listing.Tunnel, error) {
	if len(patterns) == 0 {
		return nil, nil, advice.Misuse{Message: "which tunnels?"}
	}
	client, err := s.Daemon()
	if err != nil {
		return nil, nil, err
	}
	for again := false; ; again = true {
		now, err := client.Snapshot(s.Ctx)
		if err != nil {
			return nil, nil, err
		}
		found, err := tunnel.Match(s.withBroken(now.Tunnels, now.Global.Problems), nil, patterns)
		if again || !errors.Is(err, listing.ErrNoSuchTunnel) {
			return client, found, errors.Join(err, s.readTexts(client, found))
		}
		for _, p := range patterns {
			if !tunnelfile.ValidName(p) {
				continue
			}
			if _, err := client.Tunnel(s.Ctx, p); err != nil && !errors.Is(err, listing.ErrNoSuchTunnel) {
				return nil, nil, err
			}
		}
	}
}

// readTexts reads the texts that the daemon does not publish to everybody: those of the system's tunnels.
func (s *Session) readTexts(client *dbusapi.Client, tunnels []listing.Tunnel) error {
	for i, t := range tunnels {
		if t.Text != "" || t.Unit == "" {
			continue // it has its text, or only its file's problems are known
		}
		text, err := client.Text(s.Ctx, t.Name) // first, since polkit may have to ask a person
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

// EditableOne is Editable for the one tunnel of this name.
func (s *Session) EditableOne(name string) (*dbusapi.Client, listing.Tunnel, error) {
	if !tunnelfile.ValidName(name) {
		return nil, listing.Tunnel{}, fmt.Errorf("%w: %s", listing.ErrInvalidName, name)
	}
	client, found, err := s.Editable([]string{name})
	if err != nil {
		return nil, listing.Tunnel{}, err
	}
	return client, found[0], nil
}

// withBroken adds the tunnels that exist only as a file with errors.
func (s *Session) withBroken(all []listing.Tunnel, problems []tunnelfile.Problem) []listing.Tunnel {
	for _, p := range problems {
		name, ok := tunnelfile.NameOfFile(p.Path)
		if _, known := listing.Find(all, name); !ok || known {
			continue
		}
		t := listing.Tunnel{Name: name}
		if paths, err := s.Files(name); err == nil {
			t.FilePath = paths[0]
			content, _ := os.ReadFile(t.FilePath) // an unreadable file can still be removed
			t.Text = string(content)
		}
		all = append(all, t)
	}
	return all
}

// OnDisk returns the tunnels that the patterns name, from the folders alone. A tunnel whose file has
// errors has only its name, path and text.
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

// Files returns the paths of a tunnel's file and its drop-ins.
func (s *Session) Files(name string) ([]string, error) {
	paths, err := s.Dirs().Files(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, name)
	}
	return paths, err
}

// Dirs are the folders of tunnel files.
func (s *Session) Dirs() tunnelfile.Dirs {
	if s.System {
		return tunnelfile.SystemDirs()
	}
	return tunnelfile.UserDirs(os.Getenv)
}

// TextOf reads a file, or standard input for "-".
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

// Blame replaces the path in problems: path becomes file.
func Blame(problems tunnelfile.Problems, path, file string) tunnelfile.Problems {
	problems = slices.Clone(problems)
	for i, p := range problems {
		if p.Path == path {
			problems[i].Path = file
		}
	}
	return problems
}
