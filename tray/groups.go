package tray

import (
	"cmp"
	"maps"
	"slices"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// tunnelGroup is tunnels that share a submenu.
type tunnelGroup struct {
	name    string
	tunnels []listing.Tunnel
}

// divide returns the tunnels that get a submenu each, and groups of the others, in room rows
// together. The picked tunnel comes first, then those that need a person, then those that run.
func divide(all []listing.Tunnel, picked string, room int) (top []listing.Tunnel, groups []tunnelGroup) {
	rank := func(t listing.Tunnel) int {
		switch {
		case t.Name == picked:
			return 0
		case needsYou(t):
			return 1
		case t.State != tunnelfile.Inactive:
			return 2
		}
		return 3
	}
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b listing.Tunnel) int { return cmp.Compare(rank(a), rank(b)) })
	if len(ranked) <= room {
		return ranked, nil
	}
	for n := 1; ; n++ {
		rest := slices.Clone(ranked[room-n:])
		slices.SortFunc(rest, func(a, b listing.Tunnel) int { return cmp.Compare(a.Name, b.Name) })
		groups = grouped(rest)
		if len(groups) <= n || n == maxGroups {
			return ranked[:room-n], groups
		}
	}
}

// grouped groups tunnels by their first tag, and those without a tag by name. If that makes more
// than maxGroups groups, it groups all by name. rest is sorted by name.
func grouped(rest []listing.Tunnel) []tunnelGroup {
	byTag := map[string][]listing.Tunnel{}
	for _, t := range rest {
		tag := ""
		if len(t.Tags) > 0 {
			tag = "@" + t.Tags[0]
		}
		byTag[tag] = append(byTag[tag], t)
	}
	var groups []tunnelGroup
	for _, tag := range slices.Sorted(maps.Keys(byTag)) {
		if tag == "" {
			groups = append(groups, byName(byTag[tag], maxGroups)...)
		} else {
			groups = append(groups, tunnelGroup{tag, byTag[tag]})
		}
	}
	if len(groups) > maxGroups {
		return byName(rest, maxGroups)
	}
	return groups
}

// byName divides tunnels into at most so many groups of about the same size. A group's name is made
// of the first and the last tunnel's.
func byName(list []listing.Tunnel, most int) []tunnelGroup {
	n := min(most, (len(list)+maxMembers-1)/maxMembers)
	var groups []tunnelGroup
	for i := range n {
		members := list[i*len(list)/n : (i+1)*len(list)/n]
		name := members[0].Name
		if len(members) > 1 {
			name += " – " + members[len(members)-1].Name
		}
		groups = append(groups, tunnelGroup{name, members})
	}
	return groups
}
