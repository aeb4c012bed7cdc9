package tunnelfile

import "errors"

// Set changes one key of a section in the text of a tunnel file.
func Set(text, section, key string, values []string) (string, error) {
	return "", errors.New("not built yet")
}
