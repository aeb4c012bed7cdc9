package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// set changes keys in a tunnel's file.
func (s *session) set(args []string) error {
	rest, err := parse(s.flags(), args)
	if err != nil {
		return err
	}
	if len(rest) < 2 {
		return advice.Misuse{Message: "what shall be set? NAME KEY=VALUE…"}
	}
	name, changes := rest[0], rest[1:]
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	t, err := s.tunnel(ctx, client, name)
	if err != nil {
		return err
	}
	content, err := change(t.Text, changes)
	if err != nil {
		return err
	}
	if content != t.Text {
		err := client.UpdateTunnel(ctx, name, content)
		var problems tunnelfile.Problems
		if errors.As(err, &problems) {
			return blame(problems, "", text.Tilde(t.FilePath))
		}
		if err != nil {
			return err
		}
	}
	if s.json {
		if t, err = client.Tunnel(ctx, name); err != nil {
			return err
		}
		return s.out.json(tunnelsAsJSON([]dbusapi.Tunnel{t}), false)
	}
	if content == t.Text {
		s.out.line("%s says so already", text.Tilde(t.FilePath))
	} else {
		s.out.line("Wrote %s", text.Tilde(t.FilePath))
	}
	return nil
}

// tunnel is the tunnel of this name. One that is not there because its file is not well is
// its file alone: that can be changed, mended and removed.
func (s *session) tunnel(ctx context.Context, client *dbusapi.Client, name string) (dbusapi.Tunnel, error) {
	t, err := client.Tunnel(ctx, name)
	if !errors.Is(err, dbusapi.ErrNoSuchTunnel) {
		return t, err
	}
	global, globalErr := client.Global(ctx)
	paths, filesErr := s.files(name)
	if globalErr != nil || filesErr != nil || len(tunnel.ProblemsOf(name, global.Problems)) == 0 {
		if all, listErr := client.Tunnels(ctx); listErr == nil {
			err = tunnel.NoSuch(name, all, nil)
		}
		return t, err
	}
	text, err := os.ReadFile(paths[0])
	return dbusapi.Tunnel{Name: name, FilePath: paths[0], Text: string(text)}, err
}

// change is the text of a tunnel file after KEY=VALUE… A key is one of [Tunnel], or
// Section.KEY. One that is given several times has all those values; one that is given
// nothing is removed.
func change(text string, changes []string) (string, error) {
	type key struct{ section, key string }
	values := make(map[key][]string)
	var order []key
	for _, c := range changes {
		name, value, ok := strings.Cut(c, "=")
		if !ok {
			return "", advice.Misuse{Message: fmt.Sprintf("%s: KEY=VALUE is wanted (KEY= removes the key)", c)}
		}
		k := key{tunnelfile.SectionTunnel, name}
		if section, inSection, ok := strings.Cut(name, "."); ok {
			k = key{section, inSection}
		}
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
		if value != "" {
			values[k] = append(values[k], value)
		}
	}
	for _, k := range order {
		var err error
		if text, err = tunnelfile.Set(text, k.section, k.key, values[k]); err != nil {
			return "", err
		}
	}
	return text, nil
}

// remove stops tunnels and deletes their files.
func (s *session) remove(args []string) error {
	names, err := parse(s.flags(), args)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return advice.Misuse{Message: "which tunnels?"}
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	// First all names, so that a wrong one leaves the others alone.
	tunnels := make([]dbusapi.Tunnel, len(names))
	for i, name := range names {
		if tunnels[i], err = s.tunnel(ctx, client, name); err != nil {
			return err
		}
	}
	for _, t := range tunnels {
		if err := client.RemoveTunnel(ctx, t.Name); err != nil {
			return err
		}
		if !s.json {
			s.out.line("Removed %s (%s)", t.Name, text.Tilde(t.FilePath))
		}
	}
	if s.json {
		return s.out.json(tunnelsAsJSON(tunnels), false)
	}
	return nil
}

// show prints the files of tunnels as they are on disk, drop-ins behind them, like
// systemctl cat. It needs no daemon.
func (s *session) show(args []string) error {
	flags := s.flags()
	changes := flags.Bool("changes", false, "")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	if *changes {
		return s.showChanges(names)
	}
	if len(names) == 0 {
		return advice.Misuse{Message: "which tunnel?"}
	}
	for i, name := range names {
		paths, err := s.files(name)
		if err != nil {
			return err
		}
		for j, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if i+j > 0 {
				s.out.line("")
			}
			s.out.line("# %s", path)
			s.out.text(string(text))
		}
	}
	return nil
}
