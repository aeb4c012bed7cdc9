package text

import (
	"fmt"
	"time"
)

// Count is "1 forward", "3 forwards".
func Count[N int | int64 | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bytes is a number of bytes: "1.5 KiB".
func Bytes(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		f /= 1024
		if f < 999.5 {
			if f < 9.95 {
				return fmt.Sprintf("%.1f %s", f, unit)
			}
			return fmt.Sprintf("%.0f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.0f EiB", f)
}

// Milliseconds is a round-trip time: "0.4 ms", "12 ms"; "" if none was measured.
func Milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d <= 0:
		return ""
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// Ago is a time that has passed, in its largest unit only: "5 min".
func Ago(d time.Duration) string {
	switch {
	case d < 0:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Span is how long something took, in its two largest units: "2 min 5 s", "3 days 4 h".
func Span(d time.Duration) string {
	switch d = d.Round(100 * time.Millisecond); {
	case d == 0:
		return "0 s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return twoUnits(d, time.Minute, time.Second, "min", "s")
	case d < 48*time.Hour:
		return twoUnits(d, time.Hour, time.Minute, "h", "min")
	}
	return twoUnits(d, 24*time.Hour, time.Hour, "days", "h")
}

func twoUnits(d, large, small time.Duration, largeName, smallName string) string {
	s := fmt.Sprintf("%d %s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		s += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return s
}

// Period is a length of time in a sentence: "90 seconds", "1 hour".
func Period(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return Count(int(d.Round(time.Second)/time.Second), "second")
	case d < 90*time.Minute:
		return Count(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 36*time.Hour:
		return Count(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return Count(int(d.Round(24*time.Hour)/(24*time.Hour)), "day")
}
