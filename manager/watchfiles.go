package manager

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast/holdfast/internal/filewatch"
	"github.com/holdfast/holdfast/tunnelfile"
)

// tunnelFiles adds to a watch what the directories have of tunnels: tunnel files, folders of
// drop-ins, drop-ins, and the targets of those that are links.
func tunnelFiles(dirs tunnelfile.Dirs) func(*filewatch.Set) {
	return func(set *filewatch.Set) {
		for _, dir := range dirs {
			set.Folder(dir, func(name string) bool { return isTunnelFile(name) || isDropInFolder(name) })
			for _, name := range namesIn(dir) {
				path := filepath.Join(dir, name)
				switch {
				case isTunnelFile(name):
					set.File(path)
				case isDropInFolder(name):
					set.Folder(path, isDropIn)
					for _, name := range namesIn(path) {
						if isDropIn(name) {
							set.File(filepath.Join(path, name))
						}
					}
				}
			}
		}
	}
}

func isTunnelFile(name string) bool   { return strings.HasSuffix(name, tunnelfile.Suffix) }
func isDropInFolder(name string) bool { return strings.HasSuffix(name, tunnelfile.Suffix+".d") }
func isDropIn(name string) bool       { return strings.HasSuffix(name, tunnelfile.DropInSuffix) }

// namesIn returns the names in a folder, none if it cannot be read.
func namesIn(dir string) []string {
	entries, _ := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}
