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

// divide is the tunnels that get a submenu each, and the groups of the others. The one
// picked comes first, then those that need a person, then those that run.
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

// grouped is tunnels, sorted by name, by their first tag; where these make too many groups or
// there are none, by names.
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

// byName is tunnels in at most so many groups of about the same size, called by the first and
// the last name.
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
