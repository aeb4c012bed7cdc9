package config

import (
	"iter"
	"strings"
)

// InForce returns the lines that count for a host that is given to ssh, without Host, Match and
// Include lines. unsure are the Match lines that only ssh itself can judge. The lines under them
// are left out.
func InForce(lines iter.Seq[Line], host string) (inForce, unsure []Line) {
	hostname := host
	named := false
	for line := range lines {
		counts := true
		for _, condition := range line.Under {
			applies, known := condition.applies(host, hostname)
			if counts = applies && known; !counts {
				break
			}
		}
		switch {
		case !counts:
			continue
		case line.Keyword == "match":
			if _, known := line.applies(host, hostname); !known {
				unsure = append(unsure, line)
			}
			continue
		case line.Keyword == "host" || line.Keyword == "include":
			continue
		case line.Keyword == "hostname" && !named && len(line.Words) > 0:
			named = true
			hostname = strings.NewReplacer("%h", host, "%%", "%").Replace(line.Words[0])
		}
		inForce = append(inForce, line)
	}
	return inForce, unsure
}

// Covers says whether all of these Host and Match lines apply to a host that is given to ssh. It is
// false if only ssh itself can tell.
func Covers(conditions []Line, host string) bool {
	for _, c := range conditions {
		if applies, known := c.applies(host, host); !applies || !known {
			return false
		}
	}
	return true
}

// applies says whether a Host or Match line applies to a host. hostname is what Hostname= makes of
// the host. known is false if only ssh itself can tell.
func (l Line) applies(host, hostname string) (applies, known bool) {
	if l.Keyword == "host" {
		return MatchList(l.Words, host), true
	}
	known = true
	rest := l.Value
	for rest != "" {
		var criterion, patterns string
		criterion, rest = cutToken(rest)
		criterion, negated := strings.CutPrefix(strings.ToLower(criterion), "!")
		if criterion == "all" {
			continue
		}
		matches := false
		switch criterion {
		case "host", "originalhost":
			patterns, rest = cutToken(rest)
			against := hostname
			if criterion == "originalhost" {
				against = host
			}
			matches = MatchList(strings.Split(strings.ToLower(patterns), ","), strings.ToLower(against))
		default: // user, exec, …: the argument may be more than one token
			known = false
			if criterion != "canonical" && criterion != "final" {
				_, rest = cutToken(rest)
			}
			continue
		}
		if matches == negated {
			return false, true
		}
	}
	return true, known
}

// Hosts are the names in a Host or Match line that mean one host each, not a pattern.
func (l Line) Hosts() []string {
	words := l.Words
	if l.Keyword == "match" {
		words = nil
		for rest := l.Value; rest != ""; {
			var criterion, patterns string
			criterion, rest = cutToken(rest)
			if c := strings.ToLower(criterion); c == "host" || c == "originalhost" {
				patterns, rest = cutToken(rest)
				words = append(words, strings.Split(patterns, ",")...)
			}
		}
	}
	var hosts []string
	for _, word := range words {
		if word != "" && !strings.ContainsAny(word, "*?!%") {
			hosts = append(hosts, word)
		}
	}
	return hosts
}
