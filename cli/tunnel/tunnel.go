// Package tunnel is what the verbs share about tunnels: which of them a pattern matches, and how a
// tunnel is shown as a word, a line, a page and a hint. It prints nothing.
package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Matches says whether one of the patterns matches the tunnel. Patterns are names, globs or @tags. No
// patterns match every tunnel.
func Matches(t listing.Tunnel, patterns []string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(t, p) })
}

func matches(t listing.Tunnel, pattern string) bool {
	if tag, ok := strings.CutPrefix(pattern, "@"); ok {
		return slices.Contains(t.Tags, tag)
	}
	ok, err := path.Match(pattern, t.Name)
	return ok && err == nil
}

// Match returns the tunnels that the patterns match, in the order of all. No patterns match every
// tunnel. A pattern without a match is an error, which problems may explain.
func Match(all []listing.Tunnel, problems []tunnelfile.Problem, patterns []string) ([]listing.Tunnel, error) {
	for _, p := range patterns {
		if !slices.ContainsFunc(all, func(t listing.Tunnel) bool { return matches(t, p) }) {
			return nil, NoSuch(p, all, problems)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(t listing.Tunnel) bool { return !Matches(t, patterns) }), nil
}

// Named is Match on a snapshot, including tunnel files that the daemon has not read yet. The daemon
// reads its folders when it is asked for a tunnel that it does not know. So for an unknown name it is
// asked once, and the match is repeated on a new snapshot.
func Named(ctx context.Context, client *dbusapi.Client, now dbusapi.Snapshot, patterns []string) ([]listing.Tunnel, error) {
	found, err := Match(now.Tunnels, now.Global.Problems, patterns)
	unknown := func(pattern string) bool {
		_, known := now.Tunnel(pattern)
		return tunnelfile.ValidName(pattern) && !known
	}
	i := slices.IndexFunc(patterns, unknown)
	if err == nil || i < 0 {
		return found, err
	}
	if _, err := client.Tunnel(ctx, patterns[i]); err != nil && !errors.Is(err, listing.ErrNoSuchTunnel) {
		return nil, err
	}
	if now, err = client.Snapshot(ctx); err != nil {
		return nil, err
	}
	return Match(now.Tunnels, now.Global.Problems, patterns)
}

// NoSuch is the error for a pattern that matches no tunnel. It shows the problems of the tunnel's file,
// or suggests a similar name.
func NoSuch(pattern string, tunnels []listing.Tunnel, problems []tunnelfile.Problem) error {
	if own := ProblemsOf(pattern, problems); len(own) > 0 {
		for i := range own {
			own[i].Path = text.Tilde(own[i].Path)
		}
		return advice.Error{Err: fmt.Errorf("the file of %s has mistakes:\n%w", pattern, own), Hint: "holdfast edit " + pattern + " mends it"}
	}
	err := fmt.Errorf("%w: %s", listing.ErrNoSuchTunnel, cmp.Or(pattern, `""`))
	if len(tunnels) == 0 && len(problems) == 0 {
		return advice.Error{Err: err, Hint: "there are none yet; holdfast add NAME SSH-ARGUMENTS… makes one"}
	}
	names := listing.Names(tunnels)
	for _, t := range tunnels {
		for _, tag := range t.Tags {
			names = append(names, "@"+tag)
		}
	}
	for _, p := range problems {
		if name, ok := tunnelfile.NameOfFile(p.Path); ok {
			names = append(names, name)
		}
	}
	if best := text.Nearest(pattern, names); best != "" {
		return advice.Error{Err: err, Hint: fmt.Sprintf("did you mean %s?", best)}
	}
	return err
}

// ProblemsOf returns the problems of one tunnel's files.
func ProblemsOf(name string, problems []tunnelfile.Problem) tunnelfile.Problems {
	var own tunnelfile.Problems
	for _, p := range problems {
		if of, ok := tunnelfile.NameOfFile(p.Path); ok && of == name {
			own = append(own, p)
		}
	}
	return own
}
