package tunnelfile

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Infinity is the time span "infinity": for ever.
const Infinity = time.Duration(math.MaxInt64)

const (
	day  = 24 * time.Hour
	week = 7 * day
	// systemd.time(7): a year has 365.25 days and a month is a twelfth of it.
	year  = 365*day + 6*time.Hour
	month = year / 12
)

// spanUnits are the units of systemd.time(7).
var spanUnits = map[string]time.Duration{
	"usec": time.Microsecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond,
	"msec": time.Millisecond, "ms": time.Millisecond,
	"seconds": time.Second, "second": time.Second, "sec": time.Second, "s": time.Second, "": time.Second,
	"minutes": time.Minute, "minute": time.Minute, "min": time.Minute, "m": time.Minute,
	"hours": time.Hour, "hour": time.Hour, "hr": time.Hour, "h": time.Hour,
	"days": day, "day": day, "d": day,
	"weeks": week, "week": week, "w": week,
	"months": month, "month": month, "M": month,
	"years": year, "year": year, "y": year,
}

var (
	errSpan     = errors.New("is not a time span such as 10s, 1min 30s, 500ms or infinity")
	errLongSpan = errors.New("is too long a time span (infinity means for ever)")
)

// ParseSpan reads a time span as systemd.time(7) spells it: "10s", "1min 30s", "500ms",
// "1.5h", "infinity"; a number without a unit is seconds.
func ParseSpan(text string) (time.Duration, error) {
	rest := strings.TrimSpace(text)
	if rest == "infinity" {
		return Infinity, nil
	}
	if rest == "" {
		return 0, fmt.Errorf("%q %w", text, errSpan)
	}
	total := new(big.Rat)
	for rest != "" {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789."))]
		rest = strings.TrimLeft(rest[len(number):], " \t")
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzMµμ"))]
		rest = strings.TrimLeft(rest[len(unit):], " \t")

		size, known := spanUnits[unit]
		amount, isNumber := decimal(number)
		if !known || !isNumber {
			return 0, fmt.Errorf("%q %w", text, errSpan)
		}
		total.Add(total, amount.Mul(amount, new(big.Rat).SetInt64(int64(size))))
	}
	nanoseconds := new(big.Int).Quo(total.Num(), total.Denom())
	if !nanoseconds.IsInt64() || nanoseconds.Int64() == int64(Infinity) {
		return 0, fmt.Errorf("%q %w", text, errLongSpan)
	}
	// systemd counts in microseconds.
	return time.Duration(nanoseconds.Int64()).Truncate(time.Microsecond), nil
}

// decimal reads digits with at most one point among them.
func decimal(number string) (*big.Rat, bool) {
	if len(number) > 32 || strings.Trim(number, ".") == "" || strings.Count(number, ".") > 1 {
		return nil, false
	}
	return new(big.Rat).SetString(number)
}

// FormatSpan is the inverse of ParseSpan: "1min 30s", "500ms", "0", "infinity".
func FormatSpan(d time.Duration) string {
	switch {
	case d == Infinity:
		return "infinity"
	case d < time.Microsecond:
		return "0"
	}
	var parts []string
	for _, unit := range []struct {
		name string
		size time.Duration
	}{
		{"w", week}, {"d", day}, {"h", time.Hour}, {"min", time.Minute},
		{"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond},
	} {
		if n := d / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, unit.name))
			d -= n * unit.size
		}
	}
	return strings.Join(parts, " ")
}
