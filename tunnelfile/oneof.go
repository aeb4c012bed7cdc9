package tunnelfile

import (
	"fmt"

	"github.com/holdfast/holdfast/internal/text"
)

// oneOf is the message for a value that is none of the words a key takes.
func oneOf(written string, words []string) string {
	return fmt.Sprintf("%q is not %s%s", written, text.Or(words), text.DidYouMean(written, words))
}
