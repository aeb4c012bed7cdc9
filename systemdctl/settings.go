package systemdctl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
)

// Setting is one KEY=VALUE line of a unit file's section.
type Setting struct{ Key, Value string }

// Properties turns the settings of a section, "Unit" or "Service", into properties
// of a transient unit of a scope's manager, with the meaning and the syntax that unit files
// give them. As there, a setting that is a list may be given more than once, and an empty
// value empties it.
//
// Two things differ from a unit file, and are errors: systemd expands no specifiers
// (%h, %i, …) in what comes over D-Bus, so "%%" is the only one taken; and settings
// that whoever makes the unit must set are not left to others.
//
// The second result has as many entries as settings: nil, or what is wrong with that one.
func Properties(scope Scope, section string, settings []Setting) ([]Property, []error) {
	var props []Property
	errs := make([]error, len(settings))
	for i, s := range settings {
		c, err := conversionOf(scope, section, s.Key)
		if err == nil {
			var p []Property
			if p, err = c(s.Key, s.Value); err == nil {
				props = append(props, p...)
			}
		}
		errs[i] = err
	}
	return props, errs
}

// Known is the settings of a section that Properties takes, sorted.
func Known(section string) []string { return slices.Sorted(maps.Keys(tables[section])) }

// conversionOf is how a setting becomes properties, or why it does not.
func conversionOf(scope Scope, section, key string) (conversion, error) {
	table, ok := tables[section]
	if !ok {
		return nil, fmt.Errorf("no such section: [%s]", section)
	}
	if c, ok := table[key]; ok {
		return c, nil
	}
	if scope == System && section == "Service" {
		if c, ok := systemSettings[key]; ok {
			return c, nil
		}
		if key == "DynamicUser" {
			return nil, errors.New("cannot be set here: a user that is made up at each start has no keys and no known_hosts; name one that stays by User=")
		}
	}
	for why, keys := range refused {
		if slices.Contains(strings.Fields(keys), key) {
			return nil, errors.New("cannot be set here: " + why)
		}
	}
	for other, t := range tables {
		if _, ok := t[key]; ok {
			return nil, fmt.Errorf("belongs in [%s]", other)
		}
	}
	if meant := text.Nearest(key, Known(section)); meant != "" {
		return nil, fmt.Errorf("a tunnel has no such setting in [%s]; did you mean %s?", section, meant)
	}
	return nil, fmt.Errorf("a tunnel has no such setting in [%s]; holdfast.tunnel(5) lists those that it has", section)
}
