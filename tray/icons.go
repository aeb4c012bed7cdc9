package tray

import "embed"

//go:embed icons/*.png
var icons embed.FS

// pictures are the drawings as PNG files of 48 by 48 pixels. They are never freed: panels'
// libraries do not copy them.
var pictures = map[Icon][]byte{}

func init() {
	for name := range descriptions {
		pictures[name], _ = icons.ReadFile("icons/" + string(name) + ".png") // embedded, cannot fail
	}
}

// Picture returns a drawing as a PNG file. The caller must not change it.
func Picture(name Icon) []byte { return pictures[name] }
