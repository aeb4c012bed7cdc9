package tunnelfile

import "strings"

// Format writes a tunnel as the text of a tunnel file, without the keys that have their default.
// Parse reads the same tunnel from it.
func Format(t Tunnel) string {
	if t.Description == t.Destination {
		t.Description = ""
	}
	var b strings.Builder
	b.WriteString("[Tunnel]\n")
	for _, key := range tunnelKeys {
		for _, value := range key.format(t) {
			b.WriteString(key.name + "=" + value + "\n")
		}
	}
	for _, s := range []struct {
		name     string
		settings []Setting
	}{{SectionSSH, t.SSH}, {SectionUnit, t.Unit}, {SectionService, t.Service}} {
		if len(s.settings) == 0 {
			continue
		}
		b.WriteString("\n[" + s.name + "]\n")
		for _, setting := range s.settings {
			b.WriteString(setting.Key + "=" + setting.Value + "\n")
		}
	}
	return b.String()
}
