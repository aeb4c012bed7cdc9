package sshlink

import (
	"strconv"
	"strings"
)

// rekeyLimit is the amount of data after which keys are renewed, 0 for the cipher's own
// limit. ssh -G prints RekeyLimit as bytes and seconds.
func (r *Resolved) rekeyLimit() uint64 {
	amount, _, _ := strings.Cut(r.option("rekeylimit"), " ")
	return parseSize(amount)
}

// rekeysByTime says whether keys are to be renewed after a time, too: x/crypto counts only bytes.
func (r *Resolved) rekeysByTime() bool {
	_, seconds, _ := strings.Cut(r.option("rekeylimit"), " ")
	return seconds != "" && seconds != "0"
}

// parseSize reads a number with K, M or G behind it, as ssh_config(5) has it; 0 for none.
func parseSize(s string) uint64 {
	if s == "" {
		return 0
	}
	unit := uint64(1)
	switch s[len(s)-1] {
	case 'K', 'k':
		unit = 1 << 10
	case 'M', 'm':
		unit = 1 << 20
	case 'G', 'g':
		unit = 1 << 30
	}
	if unit > 1 {
		s = s[:len(s)-1]
	}
	n, err := strconv.ParseUint(s, 10, 33)
	if err != nil {
		return 0
	}
	return n * unit
}
