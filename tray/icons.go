package tray

import "embed"

//go:embed icons/*.png
var icons embed.FS

// pictures is the drawings as PNG files of 48 by 48, read once and kept for ever: panels'
// libraries do not copy them.
var pictures = func() map[Icon][]byte {
	all := make(map[Icon][]byte)
	for _, name := range Icons() {
		png, err := icons.ReadFile("icons/" + string(name) + ".png")
		if err != nil {
			panic(err) // they are part of the program
		}
		all[name] = png
	}
	return all
}()

// Picture is a drawing as a PNG file. It must not be changed.
func Picture(name Icon) []byte { return pictures[name] }
