package program

import (
	"runtime/debug"
	"strings"
)

// version is set by the linker, see packaging/version.
var version string

// Version is the release, else the version that Go's build has recorded, else "(devel)".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return strings.TrimPrefix(info.Main.Version, "v")
	}
	return "(devel)"
}
