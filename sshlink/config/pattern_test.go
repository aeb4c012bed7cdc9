package config

import (
	"strings"
	"testing"
)

func TestMatchPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "x", true}, {"a*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "acb", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"", "", true}, {"", "a", false}, {"*a*b*", "xxaxxbxx", true},
		{"[127.0.0.*]:22", "[127.0.0.1]:22", true}, {strings.Repeat("*a", 50) + "b", strings.Repeat("a", 5000), false},
	} {
		if got := MatchPattern(c.pattern, c.name); got != c.want {
			t.Errorf("%.20q against %.20q: %v", c.pattern, c.name, got)
		}
	}
}
