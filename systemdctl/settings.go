package systemdctl

// Setting is one KEY=VALUE line of a unit file's section.
type Setting struct{ Key, Value string }

// Properties turns settings of a section, "Unit" or "Service", into properties. The
// second result has as many entries as settings: nil, or what is wrong with that one.
func Properties(section string, settings []Setting) ([]Property, []error) {
	return nil, make([]error, len(settings))
}

// Known is the settings of a section that Properties takes, sorted.
func Known(section string) []string { return nil }
