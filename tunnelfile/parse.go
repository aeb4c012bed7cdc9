package tunnelfile

// Parse reads the text of one tunnel file, without drop-ins. All that is wrong is
// returned at once, in the order of the lines; the Tunnel is then what could be read.
func Parse(name, path, text string) (Tunnel, Problems) {
	return Tunnel{Name: name, Path: path, Text: text}, Problems{{Path: path, Message: "not built yet"}}
}
