package systemdctl

import (
	"cmp"
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

// conversion makes the properties of a setting; its error does not name the key.
type conversion func(key, value string) ([]Property, error)

// one makes a conversion to a property with the setting's own name.
func one[T any](parse func(string) (T, error)) conversion {
	return func(key, value string) ([]Property, error) {
		v, err := parse(value)
		if err != nil {
			return nil, err
		}
		return []Property{property(key, v)}, nil
	}
}

// named makes a conversion to a property with another name.
func named[T any](name string, parse func(string) (T, error)) conversion {
	return func(_, value string) ([]Property, error) { return one(parse)(name, value) }
}

// entry makes a list of one entry; an empty value empties the list.
func entry[T any](parse func(string) (T, error)) func(string) ([]T, error) {
	return func(value string) ([]T, error) {
		if value == "" {
			return []T{}, nil
		}
		v, err := parse(value)
		return []T{v}, err
	}
}

// Words.

// oneOf takes a word of a fixed set. A set with yes and no has every boolean in it.
func oneOf(allowed ...string) conversion {
	return one(func(value string) (string, error) {
		if yes, ok := words.Boolean(value); ok && slices.Contains(allowed, "yes") {
			value = map[bool]string{true: "yes", false: "no"}[yes]
		}
		if !slices.Contains(allowed, value) {
			return "", fmt.Errorf("%q is none of %s", value, strings.Join(allowed, ", "))
		}
		return value, nil
	})
}

// literal takes a whole value, spaces included, that matches a pattern.
func literal(pattern, what string) func(string) (string, error) {
	valid := regexp.MustCompile(pattern)
	return func(value string) (string, error) {
		value, err := words.Literal(value)
		if err == nil && !valid.MatchString(value) {
			err = fmt.Errorf("%q is not %s", value, what)
		}
		return value, err
	}
}

var absolutePath = literal(`^/`, "an absolute path")

// list takes words, each of which must match a pattern.
func list(pattern, what string, e words.Escapes) conversion {
	return one(wordsOf(regexp.MustCompile(pattern).MatchString, what, e))
}

func wordsOf(valid func(string) bool, what string, e words.Escapes) func(string) ([]string, error) {
	return func(value string) ([]string, error) {
		list, err := words.Plain(value, e)
		for _, word := range list {
			if err == nil && !valid(word) {
				err = fmt.Errorf("%q is not %s", word, what)
			}
		}
		return list, err
	}
}

var (
	paths = list(`^[-+]*/`, "an absolute path", words.DropEscapes)
	units = list(`^[A-Za-z0-9:_.\\@-]+\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$`, "the name of a unit", words.RetainEscapes)
)

// directories takes folders below the one of their kind.
var directories = wordsOf(func(dir string) bool { return fs.ValidPath(dir) && dir != "." && !strings.Contains(dir, ":") },
	"a plain relative path", words.DropEscapes)

// unitNames takes units, as After= does. An empty value does not empty the list.
func unitNames(key, value string) ([]Property, error) {
	if strings.TrimSpace(value) == "" {
		return nil, errors.New("needs the name of a unit")
	}
	return units(key, value)
}

// output is StandardOutput= and StandardError=: file:, append: and truncate: are properties of
// their own.
func output(key, value string) ([]Property, error) {
	for prefix, suffix := range map[string]string{"file:": "File", "append:": "FileToAppend", "truncate:": "FileToTruncate"} {
		if path, ok := strings.CutPrefix(value, prefix); ok {
			return named(key+suffix, absolutePath)(key, path)
		}
	}
	return oneOf("inherit", "null", "journal", "kmsg", "journal+console", "kmsg+console")(key, value)
}

type fileMayMiss struct {
	Path    string
	MayMiss bool // "-" before the path
}

func environmentFile(value string) (fileMayMiss, error) {
	path, mayMiss := strings.CutPrefix(value, "-")
	path, err := absolutePath(path)
	return fileMayMiss{path, mayMiss}, err
}

// execCommandEx is a command line whose prefixes are words.
type execCommandEx struct {
	Path  string
	Argv  []string
	Flags []string
}

// commandLine is an Exec…= setting (systemd.service(5), "Command lines"). systemd replaces
// variables ($X, ${X}) when it runs the command.
func commandLine(key, value string) ([]Property, error) {
	return named(key+"Ex", entry(parseCommand))(key, value)
}

func parseCommand(value string) (execCommandEx, error) {
	c := execCommandEx{Flags: []string{}}
	prefixes := map[byte]string{'-': "ignore-failure", ':': "no-env-expand"}
	for value != "" && prefixes[value[0]] != "" {
		c.Flags = append(c.Flags, prefixes[value[0]])
		value = value[1:]
	}
	list, err := words.Plain(value, words.CEscapes)
	switch {
	case value != "" && strings.Contains("+!@", value[:1]):
		return c, fmt.Errorf("%q before a command is not taken here", value[:1])
	case err != nil:
		return c, err
	case len(list) == 0:
		return c, errors.New("needs a command")
	case slices.Contains(list, ";"):
		return c, errors.New(`";" between commands is not taken here: give each command a line of its own`)
	case !strings.HasPrefix(list[0], "/") && strings.Contains(list[0], "/"):
		return c, fmt.Errorf("%q is neither an absolute path nor a plain name", list[0])
	}
	c.Path, c.Argv = list[0], list
	return c, nil
}

type condition struct {
	Type      string
	Triggers  bool // one that triggers suffices ("|" before it)
	Negated   bool // "!" before it
	Parameter string
}

// conditionOn makes an entry of the Conditions property.
func conditionOn(parse func(string) (string, error)) conversion {
	return func(key, value string) ([]Property, error) {
		return named("Conditions", entry(func(value string) (condition, error) {
			rest, triggers := strings.CutPrefix(value, "|")
			rest, negated := strings.CutPrefix(strings.TrimSpace(rest), "!")
			parameter, err := parse(strings.TrimSpace(rest))
			if err == nil && parameter == "" {
				err = errors.New("needs a value")
			}
			return condition{key, triggers, negated, parameter}, err
		}))(key, value)
	}
}

// Numbers.

func boolean(value string) (bool, error) {
	yes, ok := words.Boolean(value)
	if !ok {
		return false, fmt.Errorf("%q is neither yes nor no", value)
	}
	return yes, nil
}

// whole takes a whole number from low to high, in that base (strconv.ParseInt).
func whole[T int32 | uint32 | uint64](base int, low, high int64, what string) func(string) (T, error) {
	return func(value string) (T, error) {
		n, err := strconv.ParseInt(value, base, 64)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%q is not %s", value, what)
		}
		return T(n), nil
	}
}

var (
	unsigned = whole[uint32](0, 0, math.MaxUint32, "a number")
	count    = whole[uint64](10, 0, math.MaxInt64, "a number, a percentage or infinity")
)

// numberOf takes a number from low to high, or its name; named gives a number below low for a
// name that there is not.
func numberOf(low, high int, what string, named func(string) int) func(string) (int32, error) {
	return func(value string) (int32, error) {
		n, err := strconv.Atoi(value)
		if err != nil {
			n = named(value)
		}
		if n < low || n > high {
			return 0, fmt.Errorf("%q is %s", value, what)
		}
		return int32(n), nil
	}
}

// logLevel is a level of syslog(3).
func logLevel(name string) int {
	return slices.Index([]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}, name)
}

// signal is a signal of signal(7), with or without SIG.
func signal(name string) int {
	return int(unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")))
}

// errorNumber is an errno(3).
func errorNumber(name string) int {
	for n := unix.Errno(1); n < 4096; n++ {
		if name != "" && unix.ErrnoName(n) == name {
			return int(n)
		}
	}
	return 0
}

var sizes = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([KMGTPE]?)B?$`)

// size is a number of bytes, in powers of 1024: "64M", "1.5G".
func size(value string) (uint64, error) {
	m := sizes.FindStringSubmatch(value)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size such as 64M or 1.5G", value)
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	n = math.Ldexp(n, 10*strings.Index(" KMGTPE", cmp.Or(m[2], " ")))
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

// seconds is a time span whose setting is called …Sec and whose property …USec.
func seconds(key, value string) ([]Property, error) {
	return named(strings.TrimSuffix(key, "Sec")+"USec", timeSpan)(key, value)
}

// secondsOrNone is seconds, but 0 means no limit, as it does in unit files.
func secondsOrNone(key, value string) ([]Property, error) {
	if n, err := timeSpan(value); err == nil && n == 0 {
		value = "infinity"
	}
	return seconds(key, value)
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

// cpuQuota is a share of one CPU's time in µs a second: "20%", "150%".
func cpuQuota(value string) (uint64, error) {
	n, ok := basisPoints(value)
	if !ok || n == 0 {
		return 0, fmt.Errorf("%q is not a percentage above zero", value)
	}
	return n * 100, nil
}

// orInfinity takes "infinity" besides an amount.
func orInfinity(amount func(string) (uint64, error)) func(string) (uint64, error) {
	return func(value string) (uint64, error) {
		if value == "infinity" {
			return math.MaxUint64, nil
		}
		return amount(value)
	}
}

// limit is an amount, "infinity", or a percentage of what the machine has, which is a property
// of its own, scaled to 2^32-1.
func limit(amount func(string) (uint64, error)) conversion {
	return func(key, value string) ([]Property, error) {
		n, percent := basisPoints(value)
		switch {
		case percent && n > 10000:
			return nil, fmt.Errorf("%s is more than there is", value)
		case percent:
			return []Property{property(key+"Scale", uint32((n*math.MaxUint32+5000)/10000))}, nil
		}
		return one(orInfinity(amount))(key, value)
	}
}

// resourceLimit is a limit of setrlimit(2), SOFT:HARD or one for both; it is two properties.
func resourceLimit(amount func(string) (uint64, error)) conversion {
	return func(key, value string) ([]Property, error) {
		first, second, both := strings.Cut(value, ":")
		soft, err := orInfinity(amount)(first)
		hard := soft
		if both && err == nil {
			hard, err = orInfinity(amount)(second)
		}
		switch {
		case err != nil:
			return nil, err
		case soft > hard:
			return nil, fmt.Errorf("the soft limit %s is above the hard limit %s", first, second)
		}
		return []Property{property(key, hard), property(key+"Soft", soft)}, nil
	}
}

// Credentials.

type credential struct{ ID, Source string }

// credentialFile is ID:PATH, or ID alone for a credential that the manager was given.
func credentialFile(value string) (credential, error) {
	value, err := words.Literal(value)
	id, path, _ := strings.Cut(value, ":")
	return credential{id, cmp.Or(path, id)}, cmp.Or(err, checkCredential(id))
}

type secret struct {
	ID   string
	Data []byte
}

// credentialValue is ID:VALUE.
func credentialValue(decode func(string) ([]byte, error)) func(string) (secret, error) {
	return func(value string) (secret, error) {
		id, encoded, ok := strings.Cut(value, ":")
		if !ok {
			return secret{}, errors.New("needs ID:VALUE")
		}
		data, err := decode(encoded)
		return secret{id, data}, cmp.Or(checkCredential(id), err)
	}
}

func checkCredential(id string) error {
	if id == "" || strings.Contains(id, "/") || id == "." || id == ".." {
		return fmt.Errorf("%q is not a credential's name", id)
	}
	return nil
}

// unescaped is a value with C escapes, in which a percent sign is nothing special. Here alone a
// NUL is allowed.
func unescaped(value string) ([]byte, error) {
	var data []byte
	for {
		plain, _, found := strings.Cut(value, `\`)
		data, value = append(data, plain...), value[len(plain):]
		if !found {
			return data, nil
		}
		s, n, err := words.Unescape(value, words.CEscapes)
		if err != nil {
			return nil, err
		}
		data, value = append(data, s...), value[n:]
	}
}

// base64Text is a value as systemd-creds(1) prints it.
func base64Text(value string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err != nil {
		return nil, errors.New("the value is not in base64")
	}
	return data, nil
}

// What a sandbox allows.

// filter lists what is allowed or, after "~", refused.
type filter struct {
	Allow bool
	Names []string
}

func filterOf(value string) (filter, error) {
	list, inverted := strings.CutPrefix(value, "~")
	names, err := words.Plain(list, words.CEscapes)
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

// restrictNamespaces is the kinds of namespaces that the unit may still make: none, or all.
func restrictNamespaces(value string) (uint64, error) {
	restricted, err := boolean(value)
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
