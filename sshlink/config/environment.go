package config

import (
	"os"
	"strings"
)

// Environment are the variables for RemoteCommand, each NAME=VALUE: ours that SendEnv matches, then
// those of SetEnv. If a name occurs twice, the last one counts.
func (o *Options) Environment() []string {
	var all []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, pattern := range strings.Fields(strings.Join(o.Values("sendenv"), " ")) {
			if MatchPattern(pattern, name) {
				all = append(all, variable)
				break
			}
		}
	}
	return append(all, o.Values("setenv")...)
}
