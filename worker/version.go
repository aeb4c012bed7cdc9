package worker

import "runtime/debug"

// version is set by the linker in packages: -X github.com/holdfast/holdfast/worker.version=1.2.3
var version = ""

// Version is that of this program.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
