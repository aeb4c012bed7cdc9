package config

import "strings"

// MatchList is ssh's match_pattern_list: if a negated pattern matches, the result is false.
func MatchList(patterns []string, host string) bool {
	matched := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if MatchPattern(pattern, host) {
			if negated {
				return false
			}
			matched = true
		}
	}
	return matched
}

// MatchPattern compares a text with a pattern, as PATTERNS in ssh_config(5) has it: the wildcards are * and ?.
// It takes at most the length of the pattern times that of the text.
func MatchPattern(pattern, text string) bool {
	star, mark := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
