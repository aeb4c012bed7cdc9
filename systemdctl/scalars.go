package systemdctl

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// one makes a conversion whose property has the setting's own name.
func one[T any](parse func(string) (T, error)) conversion {
	return func(key, value string) ([]Property, error) {
		v, err := parse(value)
		if err != nil {
			return nil, err
		}
		return []Property{property(key, v)}, nil
	}
}

// named makes a conversion whose property has a name of its own.
func named[T any](name string, parse func(string) (T, error)) conversion {
	return func(_, value string) ([]Property, error) { return one(parse)(name, value) }
}

// boolean is parse_boolean() of systemd.
func boolean(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", value)
}

// asWritten is a string for people or programs, taken as it stands.
func asWritten(value string) (string, error) { return plain(value) }

// account is the name or the number of a user or a group.
func account(value string) (string, error) {
	if !accountName.MatchString(value) {
		return "", fmt.Errorf("%q is not the name or the number of a user or group", value)
	}
	return value, nil
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}\$?$`)

// oneOf is a word of a fixed set.
func oneOf(allowed ...string) conversion {
	return one(func(value string) (string, error) {
		if !slices.Contains(allowed, value) {
			return "", fmt.Errorf("%q is none of %s", value, strings.Join(allowed, ", "))
		}
		return value, nil
	})
}

// switchOr is a boolean that has further values: ProtectSystem=, ProtectHome=.
func switchOr(allowed ...string) conversion {
	return one(func(value string) (string, error) {
		if b, err := boolean(value); err == nil {
			if b {
				return "yes", nil
			}
			return "no", nil
		}
		if !slices.Contains(allowed, value) {
			return "", fmt.Errorf("%q is none of yes, no, %s", value, strings.Join(allowed, ", "))
		}
		return value, nil
	})
}

// integer is a number between two others.
func integer(low, high int32) conversion {
	return one(func(value string) (int32, error) {
		n, err := strconv.ParseInt(value, 0, 32)
		if err != nil || int32(n) < low || int32(n) > high {
			return 0, fmt.Errorf("%q is not a number from %d to %d", value, low, high)
		}
		return int32(n), nil
	})
}

// unsigned is a number of 32 bits.
func unsigned(value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", value)
	}
	return uint32(n), nil
}

// fileMode is an access mode in octal.
func fileMode(value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 8, 32)
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("%q is not an access mode in octal", value)
	}
	return uint32(n), nil
}

// weight is a share from 1 to 10000; "idle" is 0 where it is allowed.
func weight(idle bool) conversion {
	return one(func(value string) (uint64, error) {
		if value == "" {
			return math.MaxUint64, nil // systemd's default
		}
		if idle && value == "idle" {
			return 0, nil
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n < 1 || n > 10000 {
			return 0, fmt.Errorf("%q is not a weight from 1 to 10000", value)
		}
		return n, nil
	})
}

// timeUnits are µs, as in systemd.time(7).
var timeUnits = map[string]float64{
	"usec": 1, "us": 1, "µs": 1, "μs": 1,
	"msec": 1e3, "ms": 1e3,
	"seconds": 1e6, "second": 1e6, "sec": 1e6, "s": 1e6, "": 1e6,
	"minutes": 60e6, "minute": 60e6, "min": 60e6, "m": 60e6,
	"hours": 3600e6, "hour": 3600e6, "hr": 3600e6, "h": 3600e6,
	"days": 86400e6, "day": 86400e6, "d": 86400e6,
	"weeks": 604800e6, "week": 604800e6, "w": 604800e6,
	"months": 2629800e6, "month": 2629800e6, "M": 2629800e6,
	"years": 31557600e6, "year": 31557600e6, "y": 31557600e6,
}

// timeSpan is a time span of systemd.time(7) in µs: "5min 20s", "1.5h", "300ms",
// "infinity"; a bare number is seconds.
func timeSpan(value string) (uint64, error) {
	if strings.TrimSpace(value) == "infinity" {
		return math.MaxUint64, nil
	}
	return quantities(value, timeUnits, "a time span such as 90, 5min 20s or infinity")
}

// sizeUnits are bytes, in powers of 1024.
var sizeUnits = map[string]float64{
	"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50, "E": 1 << 60,
}

// size is a number of bytes: "64M", "1.5G".
func size(value string) (uint64, error) {
	return quantities(value, sizeUnits, "a size such as 64M or 1.5G")
}

// quantities adds up numbers with units. What is not one is not what was expected.
func quantities(value string, units map[string]float64, expected string) (uint64, error) {
	wrong := fmt.Errorf("%q is not %s", value, expected)
	rest := strings.TrimSpace(value)
	if rest == "" {
		return 0, wrong
	}
	var sum uint64
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		number := rest[:digits]
		rest = strings.TrimLeft(rest[digits:], whitespace)
		letters := strings.IndexAny(rest, "0123456789."+whitespace)
		if letters < 0 {
			letters = len(rest)
		}
		unit, known := units[rest[:letters]]
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || !known || n*unit >= math.MaxInt64 {
			return 0, wrong
		}
		// A whole number stays exact beyond 2^53.
		if whole, err := strconv.ParseUint(number, 10, 63); err == nil {
			sum += whole * uint64(unit)
		} else {
			sum += uint64(n * unit)
		}
		rest = strings.TrimLeft(rest[letters:], whitespace)
	}
	return sum, nil
}

// seconds is a time span whose property is called …USec where the setting is …Sec.
func seconds(key, value string) ([]Property, error) {
	return named(strings.TrimSuffix(key, "Sec")+"USec", timeSpan)(key, value)
}

// secondsOrNone is seconds, but that 0 means no limit, as it does in unit files.
func secondsOrNone(key, value string) ([]Property, error) {
	if n, err := timeSpan(value); err == nil && n == 0 {
		value = "infinity"
	}
	return seconds(key, value)
}

// basisPoints is a percentage, with up to two decimals, in hundredths of a percent.
func basisPoints(value string) (uint64, bool) {
	number, ok := strings.CutSuffix(value, "%")
	if !ok {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(number, ".")
	if len(fraction) > 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(fraction + "00")[:2], 10, 32)
	return n, err == nil
}

// limit is a size or number that may also be "infinity", or a percentage of what the
// machine has, which is a property of its own, scaled to 2^32-1.
func limit(amount func(string) (uint64, error)) conversion {
	return func(key, value string) ([]Property, error) {
		if value == "infinity" {
			return []Property{property(key, uint64(math.MaxUint64))}, nil
		}
		if n, ok := basisPoints(value); ok {
			if n > 10000 {
				return nil, fmt.Errorf("%s is more than there is", value)
			}
			return []Property{property(key+"Scale", uint32((n*math.MaxUint32+5000)/10000))}, nil
		}
		return one(amount)(key, value)
	}
}

// count is a number of 64 bits.
func count(value string) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number, a percentage or infinity", value)
	}
	return n, nil
}

// cpuQuota is a share of one CPU's time: "20%", "150%"; nothing is no limit.
func cpuQuota(value string) (uint64, error) {
	if value == "" {
		return math.MaxUint64, nil
	}
	n, ok := basisPoints(value)
	if !ok || n == 0 {
		return 0, fmt.Errorf("%q is not a percentage above zero", value)
	}
	return n * 100, nil // of 10000 hundredths of a percent in µs a second
}

// resourceLimit is a limit of setrlimit(2), SOFT:HARD or one for both; it is two properties.
func resourceLimit(amount func(string) (uint64, error)) conversion {
	parse := func(value string) (uint64, error) {
		if value == "infinity" {
			return math.MaxUint64, nil
		}
		return amount(value)
	}
	return func(key, value string) ([]Property, error) {
		softText, hardText, both := strings.Cut(value, ":")
		if !both {
			hardText = softText
		}
		soft, err := parse(softText)
		if err != nil {
			return nil, err
		}
		hard, err := parse(hardText)
		if err != nil {
			return nil, err
		}
		if soft > hard {
			return nil, fmt.Errorf("the soft limit %s is above the hard limit %s", softText, hardText)
		}
		return []Property{property(key, hard), property(key+"Soft", soft)}, nil
	}
}

// wholeSeconds is a time span in seconds, rounded up: LimitCPU=.
func wholeSeconds(value string) (uint64, error) {
	usec, err := timeSpan(value)
	if err != nil || usec == math.MaxUint64 {
		return usec, err
	}
	return (usec + 999999) / 1000000, nil
}

var logLevels = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// logLevel is a level of syslog(3), by name or number.
func logLevel(value string) (int32, error) {
	return indexOrNumber(value, logLevels, "a log level such as info")
}

var logFacilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"12", "13", "14", "15", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// logFacility is a facility of syslog(3), by name or number.
func logFacility(value string) (int32, error) {
	return indexOrNumber(value, logFacilities, "a log facility such as daemon")
}

var cpuPolicies = []string{"other", "fifo", "rr", "batch", "4", "idle"}

func cpuPolicy(value string) (int32, error) {
	return indexOrNumber(value, cpuPolicies, "a CPU scheduling policy such as batch")
}

var ioClasses = []string{"none", "realtime", "best-effort", "idle"}

func ioClass(value string) (int32, error) {
	return indexOrNumber(value, ioClasses, "an I/O scheduling class such as idle")
}

// indexOrNumber is a word's place in a list, or that place as a number.
func indexOrNumber(value string, list []string, expected string) (int32, error) {
	if i := slices.Index(list, value); i >= 0 {
		return int32(i), nil
	}
	if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < len(list) {
		return int32(n), nil
	}
	return 0, fmt.Errorf("%q is not %s", value, expected)
}

// signal is a signal by name, with or without SIG, or by number.
func signal(value string) (int32, error) {
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n <= 64 {
		return int32(n), nil
	}
	name := strings.ToUpper(value)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	if s := unix.SignalNum(name); s != 0 {
		return int32(s), nil
	}
	return 0, fmt.Errorf("%q is not a signal", value)
}

// errorNumber is an errno by name or number; "kill" ends the process instead.
func errorNumber(value string) (int32, error) {
	if value == "kill" {
		return math.MaxInt32 - 1, nil // SECCOMP_ERROR_NUMBER_KILL of systemd
	}
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n < 4096 {
		return int32(n), nil
	}
	for n := syscall.Errno(1); n < 4096; n++ {
		if unix.ErrnoName(n) == value {
			return int32(n), nil
		}
	}
	return 0, fmt.Errorf("%q is not an error number such as EPERM", value)
}

// namespaces are the flags of clone(2).
var namespaces = map[string]uint64{
	"cgroup": unix.CLONE_NEWCGROUP, "ipc": unix.CLONE_NEWIPC, "net": unix.CLONE_NEWNET, "mnt": unix.CLONE_NEWNS,
	"pid": unix.CLONE_NEWPID, "user": unix.CLONE_NEWUSER, "uts": unix.CLONE_NEWUTS,
}

// namespaceTypes is which kinds of namespaces stay allowed: RestrictNamespaces=yes
// allows none, no allows all, a list allows those, ~ and a list all others.
func namespaceTypes(value string) (uint64, error) {
	var all uint64
	for _, flag := range namespaces {
		all |= flag
	}
	if restricted, err := boolean(value); err == nil {
		if restricted {
			return 0, nil
		}
		return all, nil
	}
	list, inverted := strings.CutPrefix(value, "~")
	var flags uint64
	for _, name := range strings.Fields(list) {
		flag, ok := namespaces[name]
		if !ok {
			return 0, fmt.Errorf("%q is not a kind of namespace (cgroup, ipc, net, mnt, pid, user, uts)", name)
		}
		flags |= flag
	}
	if flags == 0 {
		return 0, errEmpty
	}
	if inverted {
		return all &^ flags, nil
	}
	return flags, nil
}

// absolutePath is one path, spaces and all.
func absolutePath(value string) (string, error) {
	path, err := plain(value)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("%q is not an absolute path", path)
	}
	return path, nil
}

// workingDirectory is an absolute path or "~"; "-" before it lets it be missing.
func workingDirectory(value string) (string, error) {
	path := strings.TrimPrefix(value, "-")
	if path != "~" {
		if _, err := absolutePath(path); err != nil {
			return "", err
		}
	}
	return plain(value)
}

// output is StandardOutput= and StandardError=: file:, append: and truncate: are
// properties of their own.
func output(key, value string) ([]Property, error) {
	for prefix, suffix := range map[string]string{"file:": "File", "append:": "FileToAppend", "truncate:": "FileToTruncate"} {
		if path, ok := strings.CutPrefix(value, prefix); ok {
			return named(key+suffix, absolutePath)(key, path)
		}
	}
	return oneOf("inherit", "null", "journal", "kmsg", "journal+console", "kmsg+console")(key, value)
}

// sliceName is the name of a slice unit.
func sliceName(value string) (string, error) {
	if !unitNamePattern.MatchString(value) || !strings.HasSuffix(value, ".slice") {
		return "", errors.New("needs the name of a slice, such as background.slice")
	}
	return value, nil
}
