package sshlink

import (
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Underneath are the settings that Holdfast has put in where nobody wrote others, and that ssh
// by itself would not have.
func (r *Resolved) Underneath() []tunnelfile.Setting {
	var own []tunnelfile.Setting
	for _, s := range holdfastDefaults {
		keyword := strings.ToLower(s.Key)
		if r.resolution.unset[keyword] && plainDefaults[keyword] != s.Value {
			own = append(own, s)
		}
	}
	return own
}

// Shares says whether an ssh to the destination would share its connection with others, or
// theirs with itself (ControlMaster).
func (r *Resolved) Shares() bool {
	switch r.resolution.options.first("controlmaster") {
	case "", "no", "false":
		return false
	}
	return true
}
