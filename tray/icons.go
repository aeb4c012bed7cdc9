package tray

import "embed"

//go:embed icons/*.png
var icons embed.FS

// pictures is the drawings as PNG files of 48 by 48, read once and kept for ever: panels'
// libraries do not copy them.
var pictures = map[Icon][]byte{}

func init() {
	for _, name := range Icons() {
		pictures[name], _ = icons.ReadFile("icons/" + string(name) + ".png") // they are part of the program
	}
}

// Picture is a drawing as a PNG file. It must not be changed.
func Picture(name Icon) []byte { return pictures[name] }
