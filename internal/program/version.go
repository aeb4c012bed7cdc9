package program

import "runtime/debug"

// version is set by the linker in releases.
var version string

// Version is the release, else what Go's build knows of the checkout, else "(devel)".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
