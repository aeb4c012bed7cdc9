package text

import (
	"fmt"
	"slices"
	"strings"
)

// maxWord is longer than every word that somebody may have meant.
const maxWord = 64

// DidYouMean returns " (did you mean X?)" for the word that is nearest to what was written, "" if
// none is near.
func DidYouMean(written string, words []string) string {
	if word := Nearest(written, words); word != "" {
		return fmt.Sprintf(" (did you mean %s?)", word)
	}
	return ""
}

// Nearest returns the word with the fewest typing mistakes, "" if even that has too many for its
// length. Letter case does not count.
func Nearest(written string, words []string) string {
	if len(written) > maxWord {
		return ""
	}
	best, bestDistance := "", 0
	for _, word := range words {
		d := typingMistakes(strings.ToLower(written), strings.ToLower(word))
		if d <= max(1, len(word)/3) && (best == "" || d < bestDistance) {
			best, bestDistance = word, d
		}
	}
	return best
}

// typingMistakes counts the letters to insert, delete, change or swap with a neighbour to turn a
// into b (the Damerau-Levenshtein distance, adjacent swaps only).
func typingMistakes(a, b string) int {
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// Or is "a, b or c".
func Or(words []string) string {
	words = slices.Clone(words)
	last := words[len(words)-1]
	if len(words) == 1 {
		return last
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + last
}
