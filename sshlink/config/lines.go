package config

import (
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Line is a line of ssh_config(5) that says something.
type Line struct {
	Path    string
	Line    int
	Depth   int    // 0 in the file itself, 1 in one that it includes, …
	Keyword string // in lower case, by its name of today
	Value   string // as written
}

// Lines are the lines of an ssh_config(5) file, and behind an Include line those of the
// files that it names, where they can be told without ssh. A file that cannot be read has none.
func Lines(path string) iter.Seq[Line] {
	return configLines(path, filepath.Dir(path), includeDepth)
}

// configLines takes relative Include paths from below, and follows them so far.
func configLines(path, below string, depth int) iter.Seq[Line] {
	return func(yield func(Line) bool) { yieldLines(path, below, depth, 0, yield) }
}

// Text are the lines of a text that stands at path, or nowhere. Includes are not followed.
func Text(path, text string) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			keyword, value := cutKeyword(line)
			if keyword != "" && !yield(Line{path, number, 0, keyword, strings.TrimSpace(value)}) {
				return
			}
		}
	}
}

func yieldLines(path, below string, left, depth int, yield func(Line) bool) bool {
	text, err := os.ReadFile(path)
	if err != nil || left == 0 {
		return true
	}
	for line := range Text(path, string(text)) {
		line.Depth = depth
		if !yield(line) {
			return false
		}
		if line.Keyword != "include" {
			continue
		}
		for _, pattern := range includePatterns(line.Value, below) {
			files, _ := filepath.Glob(pattern)
			for _, file := range files {
				if !yieldLines(file, below, left-1, depth+1, yield) {
					return false
				}
			}
		}
	}
	return true
}

// includePatterns are the globs that an Include line names.
func includePatterns(value, below string) []string {
	var patterns []string
	for word := range strings.FieldsSeq(value) {
		pattern := ExpandTilde(strings.Trim(word, `"`))
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(below, pattern)
		}
		patterns = append(patterns, pattern)
	}
	return patterns
}
