package systemdctl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/words"
	"github.com/holdfast/holdfast/tunnelfile"
)

// conversion makes properties of a setting's value; its error does not name the key.
type conversion func(key, value string) ([]Property, error)

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

// Words and lists of words.

// oneOf is a word of a fixed set. Where the set has yes and no, every boolean is in it.
func oneOf(allowed ...string) conversion {
	return one(func(value string) (string, error) {
		if b, err := Boolean(value); err == nil && slices.Contains(allowed, "yes") {
			value = map[bool]string{true: "yes", false: "no"}[b]
		}
		if !slices.Contains(allowed, value) {
			return "", fmt.Errorf("%q is none of %s", value, strings.Join(allowed, ", "))
		}
		return value, nil
	})
}

// logLevel is a level of syslog(3) by its word or its number.
func logLevel(value string) (int32, error) {
	levels := []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	n := slices.Index(levels, value)
	if number, err := strconv.Atoi(value); err == nil {
		n = number
	}
	if n < 0 || n >= len(levels) {
		return 0, fmt.Errorf("%q is none of %s", value, strings.Join(levels, ", "))
	}
	return int32(n), nil
}

// wordsOf is a list of words, each of which must match.
func wordsOf(pattern, what string, e words.Escapes) func(string) ([]string, error) {
	valid := regexp.MustCompile(pattern)
	return func(value string) ([]string, error) {
		list, err := words.Plain(value, e)
		for _, word := range list {
			if err == nil && !valid.MatchString(word) {
				err = fmt.Errorf("%q is not %s", word, what)
			}
		}
		return list, err
	}
}

const unitName = `^[A-Za-z0-9:_.\\@-]+\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$`

var (
	anyWords    = wordsOf(``, "", words.CEscapes)
	units       = wordsOf(unitName, "the name of a unit", words.RetainEscapes)
	paths       = wordsOf(`^[-+]*/`, "an absolute path", words.DropEscapes)
	uris        = wordsOf(`^(https?|file|info|man):`, "a URI of http, https, file, info or man", words.DropEscapes)
	assignments = wordsOf(`^[A-Za-z_][A-Za-z0-9_]*=`, "VARIABLE=VALUE (quote a value with spaces)", words.CEscapes)
	variables   = wordsOf(`^[A-Za-z_][A-Za-z0-9_]*(=|$)`, "a variable's name", words.CEscapes)
)

// directories is a list of folders below the one of their kind.
func directories(value string) ([]string, error) {
	list, err := words.Plain(value, words.DropEscapes)
	for _, dir := range list {
		if err == nil && (!fs.ValidPath(dir) || dir == "." || strings.Contains(dir, ":")) {
			err = fmt.Errorf("%q is not a plain relative path", dir)
		}
	}
	return list, err
}

// unitNames is a list of units, as for After=. There is no emptying it.
func unitNames(value string) ([]string, error) {
	list, err := units(value)
	if err == nil && len(list) == 0 {
		err = errors.New("needs the name of a unit")
	}
	return list, err
}

func sliceName(value string) (string, error) {
	if list, err := units(value); err != nil || len(list) != 1 || list[0] != value || !strings.HasSuffix(value, ".slice") {
		return "", errors.New("needs the name of a slice, such as background.slice")
	}
	return value, nil
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}\$?$`)

func account(value string) (string, error) {
	if !accountName.MatchString(value) {
		return "", fmt.Errorf("%q is not the name or the number of a user or group", value)
	}
	return value, nil
}

// absolutePath is one path, spaces and all.
func absolutePath(value string) (string, error) {
	path, err := words.Literal(value)
	if err == nil && !strings.HasPrefix(path, "/") {
		err = fmt.Errorf("%q is not an absolute path", path)
	}
	return path, err
}

// workingDirectory is an absolute path or "~"; "-" before it lets it be missing.
func workingDirectory(value string) (string, error) {
	if path := strings.TrimPrefix(value, "-"); path != "~" {
		if _, err := absolutePath(path); err != nil {
			return "", err
		}
	}
	return words.Literal(value)
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

// environmentFile is a path, and whether it may be missing ("-" before it).
func environmentFile(value string) ([]fileMayMiss, error) {
	if value == "" {
		return []fileMayMiss{}, nil
	}
	path, mayMiss := strings.CutPrefix(value, "-")
	path, err := absolutePath(path)
	return []fileMayMiss{{path, mayMiss}}, err
}

type fileMayMiss struct {
	Path    string
	MayMiss bool
}

// Numbers.

// Boolean is a yes or a no as unit files spell it: parse_boolean() of systemd.
func Boolean(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "1", "yes", "y", "true", "t", "on":
		return true, nil
	case "0", "no", "n", "false", "f", "off":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", value)
}

func integer(low, high int64) conversion {
	return one(func(value string) (int32, error) {
		n, err := strconv.ParseInt(value, 0, 32)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%q is not a number from %d to %d", value, low, high)
		}
		return int32(n), nil
	})
}

func unsigned(value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", value)
	}
	return uint32(n), nil
}

func fileMode(value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 8, 32)
	if err != nil || n > 0o7777 {
		return 0, fmt.Errorf("%q is not an access mode in octal", value)
	}
	return uint32(n), nil
}

func count(value string) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number, a percentage or infinity", value)
	}
	return n, nil
}

var sizes = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([KMGTPE]?)B?$`)

// size is a number of bytes, in powers of 1024: "64M", "1.5G".
func size(value string) (uint64, error) {
	m := sizes.FindStringSubmatch(value)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 64M or 1.5G", value)
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	if m[2] != "" {
		n = math.Ldexp(n, 10*(1+strings.Index("KMGTPE", m[2])))
	}
	if n >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is more than there is", value)
	}
	return uint64(n), nil
}

// timeSpan is a time span of systemd.time(7) in µs.
func timeSpan(value string) (uint64, error) {
	d, err := tunnelfile.ParseSpan(value)
	return usec(d), err
}

// usec is a time as systemd's properties carry it.
func usec(d time.Duration) uint64 {
	if d == tunnelfile.Infinity {
		return math.MaxUint64
	}
	return uint64(d / time.Microsecond)
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

// weight is a share from 1 to 10000.
func weight(value string) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n < 1 || n > 10000 {
		return 0, fmt.Errorf("%q is not a weight from 1 to 10000", value)
	}
	return n, nil
}

// basisPoints is a percentage, with up to two decimals, in hundredths of a percent.
func basisPoints(value string) (uint64, bool) {
	number, ok := strings.CutSuffix(value, "%")
	whole, fraction, _ := strings.Cut(number, ".")
	if !ok || len(fraction) > 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(fraction + "00")[:2], 10, 32)
	return n, err == nil
}

// limit is a size or number that may also be "infinity", or a percentage of what the
// machine has, which is a property of its own, scaled to 2^32-1.
func limit(amount func(string) (uint64, error)) conversion {
	return func(key, value string) ([]Property, error) {
		n, percent := basisPoints(value)
		switch {
		case value == "infinity":
			return []Property{property(key, uint64(math.MaxUint64))}, nil
		case percent && n > 10000:
			return nil, fmt.Errorf("%s is more than there is", value)
		case percent:
			return []Property{property(key+"Scale", uint32((n*math.MaxUint32+5000)/10000))}, nil
		}
		return one(amount)(key, value)
	}
}

// cpuQuota is a share of one CPU's time: "20%", "150%".
func cpuQuota(value string) (uint64, error) {
	n, ok := basisPoints(value)
	if !ok || n == 0 {
		return 0, fmt.Errorf("%q is not a percentage above zero", value)
	}
	return n * 100, nil // of 10000 hundredths of a percent in µs a second
}

// resourceLimit is a limit of setrlimit(2), SOFT:HARD or one for both; it is two properties.
func resourceLimit(amount func(string) (uint64, error)) conversion {
	return func(key, value string) ([]Property, error) {
		soft, hard, both := strings.Cut(value, ":")
		if !both {
			hard = soft
		}
		var limits [2]uint64
		for i, text := range []string{soft, hard} {
			n, err := uint64(math.MaxUint64), error(nil)
			if text != "infinity" {
				n, err = amount(text)
			}
			if err != nil {
				return nil, err
			}
			limits[i] = n
		}
		if limits[0] > limits[1] {
			return nil, fmt.Errorf("the soft limit %s is above the hard limit %s", soft, hard)
		}
		return []Property{property(key, limits[1]), property(key+"Soft", limits[0])}, nil
	}
}

// signal is a signal by name, with or without SIG, or by number.
func signal(value string) (int32, error) {
	n, err := strconv.Atoi(value)
	if err != nil {
		n = int(unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(value), "SIG")))
	}
	if n < 1 || n > 64 {
		return 0, fmt.Errorf("%q is not a signal", value)
	}
	return int32(n), nil
}

// errorNumber is an errno by name.
func errorNumber(value string) (int32, error) {
	for n := unix.Errno(1); n < 4096; n++ {
		if name := unix.ErrnoName(n); name != "" && name == value {
			return int32(n), nil
		}
	}
	return 0, fmt.Errorf("%q is not an error number such as EPERM", value)
}

// Credentials and conditions.

type credential struct{ ID, Source string }

// loadCredential is ID:PATH, or ID alone for one that the manager was given.
func loadCredential(value string) ([]credential, error) {
	if value == "" {
		return []credential{}, nil
	}
	value, err := words.Literal(value)
	id, path, _ := strings.Cut(value, ":")
	if path == "" {
		path = id
	}
	if err == nil {
		err = validCredential(id)
	}
	return []credential{{id, path}}, err
}

type secret struct {
	ID   string
	Data []byte
}

// credentialValue is ID:VALUE.
func credentialValue(decode func(string) ([]byte, error)) func(string) ([]secret, error) {
	return func(value string) ([]secret, error) {
		if value == "" {
			return []secret{}, nil
		}
		id, encoded, ok := strings.Cut(value, ":")
		if !ok {
			return nil, errors.New("needs ID:VALUE")
		}
		if err := validCredential(id); err != nil {
			return nil, err
		}
		data, err := decode(encoded)
		return []secret{{id, data}}, err
	}
}

// unescaped is a value with C escapes. A percent sign is nothing special in it, in unit files
// neither, and a NUL is allowed here alone.
func unescaped(value string) ([]byte, error) {
	var data []byte
	for value != "" {
		s, n, err := value[:1], 1, error(nil)
		switch {
		case strings.HasPrefix(value, `\x00`), strings.HasPrefix(value, `\000`):
			s, n = "\x00", 4
		case value[0] == '\\':
			s, n, err = words.Unescape(value, words.CEscapes)
		}
		if err != nil {
			return nil, err
		}
		data, value = append(data, s...), value[n:]
	}
	return data, nil
}

// base64Text is a value as systemd-creds(1) printed it.
func base64Text(value string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil {
		return nil, errors.New("the value is not in base64")
	}
	return data, nil
}

func validCredential(id string) error {
	if id == "" || strings.Contains(id, "/") || id == "." || id == ".." {
		return fmt.Errorf("%q is not a credential's name", id)
	}
	return nil
}

type condition struct {
	Type      string
	Triggers  bool // one that triggers suffices ("|" before it)
	Negated   bool // "!" before it
	Parameter string
}

// conditionOf makes an entry of the Conditions property.
func conditionOf(ofPath bool) conversion {
	return func(key, value string) ([]Property, error) {
		if value == "" {
			return []Property{property("Conditions", []condition{})}, nil
		}
		rest, triggers := strings.CutPrefix(value, "|")
		rest, negated := strings.CutPrefix(strings.TrimSpace(rest), "!")
		parameter, err := words.Literal(strings.TrimSpace(rest))
		switch {
		case err != nil:
			return nil, err
		case parameter == "":
			return nil, errors.New("needs a value")
		case ofPath && !strings.HasPrefix(parameter, "/"):
			return nil, fmt.Errorf("%q is not an absolute path", parameter)
		}
		return []Property{property("Conditions", []condition{{key, triggers, negated, parameter}})}, nil
	}
}

// What a sandbox allows.

// filter is a list of what is allowed or, after "~", refused.
type filter struct {
	Allow bool
	Names []string
}

func filterOf(value string) (filter, error) {
	list, inverted := strings.CutPrefix(value, "~")
	names, err := anyWords(list)
	return filter{!inverted, names}, err
}

// addressFamilies is a filter of AF_… names. "none" refuses all.
func addressFamilies(value string) (filter, error) {
	if value == "none" {
		return filter{true, []string{}}, nil
	}
	f, err := filterOf(value)
	for _, name := range f.Names {
		if !strings.HasPrefix(name, "AF_") {
			return f, fmt.Errorf("%q is not an address family such as AF_INET", name)
		}
	}
	return f, err
}

// restrictNamespaces is which kinds of namespaces the unit may still make: none, or all.
func restrictNamespaces(value string) (uint64, error) {
	restricted, err := Boolean(value)
	if err != nil || restricted {
		return 0, err
	}
	return unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS |
		unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS, nil
}

// capabilityNames is in the order of their numbers, see capabilities(7).
var capabilityNames = strings.Fields(`
	CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID
	CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
	CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT
	CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD
	CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG
	CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

// capabilities is a set of capabilities, or after "~" all others.
func capabilities(value string) (uint64, error) {
	list, inverted := strings.CutPrefix(value, "~")
	var set uint64
	for _, name := range strings.Fields(list) {
		n := slices.Index(capabilityNames, strings.ToUpper(name))
		if n < 0 {
			return 0, fmt.Errorf("%q is not a capability such as CAP_NET_BIND_SERVICE", name)
		}
		set |= 1 << n
	}
	if inverted {
		return ^set, nil
	}
	return set, nil
}
