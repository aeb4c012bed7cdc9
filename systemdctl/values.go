package systemdctl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/netip"
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
		if b, err := boolean(value); err == nil && slices.Contains(allowed, "yes") {
			value = map[bool]string{true: "yes", false: "no"}[b]
		}
		if !slices.Contains(allowed, value) {
			return "", fmt.Errorf("%q is none of %s", value, strings.Join(allowed, ", "))
		}
		return value, nil
	})
}

// indexOf is a word's place in a list, or that place as a number.
func indexOf(list ...string) conversion {
	return one(func(value string) (int32, error) {
		n := slices.Index(list, value)
		if number, err := strconv.Atoi(value); err == nil {
			n = number
		}
		if n < 0 || n >= len(list) {
			return 0, fmt.Errorf("%q is none of %s", value, strings.Join(list, ", "))
		}
		return int32(n), nil
	})
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
	// No part of a path may be "..".
	directories = wordsOf(`^([^/:.][^/:]*|\.[^/:.][^/:]*|\.\.[^/:]+)(/+([^/:.][^/:]*|\.[^/:.][^/:]*|\.\.[^/:]+|\.))*/*$`, "a plain relative path", words.DropEscapes)
)

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

var sizes = regexp.MustCompile(`^([0-9]*\.[0-9]+|[0-9]+)\s*([KMGTPE]?)B?\s*`)

// size is a number of bytes, in powers of 1024: "64M", "1.5G", "1G 512M".
func size(value string) (uint64, error) {
	var sum uint64
	for rest := strings.TrimSpace(value); rest != "" || value == ""; {
		m := sizes.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("%q is not a size such as 64M or 1.5G", value)
		}
		unit := uint64(1)
		if m[2] != "" {
			unit <<= 10 * (1 + strings.Index("KMGTPE", m[2]))
		}
		n, _ := strconv.ParseFloat(m[1], 64)
		if n*float64(unit) >= math.MaxInt64 {
			return 0, fmt.Errorf("%q is more than there is", value)
		}
		if whole, err := strconv.ParseUint(m[1], 10, 63); err == nil {
			sum += whole * unit // exact beyond 2^53
		} else {
			sum += uint64(n * float64(unit))
		}
		rest = rest[len(m[0]):]
	}
	return sum, nil
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

// wholeSeconds is a time span in seconds, rounded up: LimitCPU=.
func wholeSeconds(value string) (uint64, error) {
	usec, err := timeSpan(value)
	if err != nil || usec == math.MaxUint64 {
		return usec, err
	}
	return (usec + 999999) / 1000000, nil
}

// weight is a share from 1 to 10000; that of a CPU may be "idle".
func weight(key, value string) ([]Property, error) {
	return one(func(value string) (uint64, error) {
		n, err := strconv.ParseUint(value, 10, 64)
		switch {
		case value == "":
			return math.MaxUint64, nil // systemd's default
		case value == "idle" && strings.HasSuffix(key, "CPUWeight"):
			return 0, nil
		case err != nil || n < 1 || n > 10000:
			return 0, fmt.Errorf("%q is not a weight from 1 to 10000", value)
		}
		return n, nil
	})(key, value)
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

// cpuQuota is a share of one CPU's time: "20%", "150%"; nothing is no limit.
func cpuQuota(value string) (uint64, error) {
	n, ok := basisPoints(value)
	switch {
	case value == "":
		return math.MaxUint64, nil
	case !ok || n == 0:
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

// statusesAndSignals is a list of exit statuses and signals that is added to.
func statusesAndSignals(value string) (exitStatuses, error) {
	set := exitStatuses{[]int32{}, []int32{}}
	list, err := anyWords(value)
	if err == nil && len(list) == 0 {
		err = errors.New("needs an exit status or a signal; the list can only be added to")
	}
	for _, word := range list {
		if n, err := strconv.ParseUint(word, 10, 8); err == nil {
			set.Statuses = append(set.Statuses, int32(n))
		} else if n, err := signal(word); err == nil {
			set.Signals = append(set.Signals, n)
		} else {
			return set, fmt.Errorf("%q is neither an exit status nor a signal", word)
		}
	}
	return set, err
}

// errorNumber is an errno by name or number; "kill" ends the process instead.
func errorNumber(value string) (int32, error) {
	if value == "kill" {
		return math.MaxInt32 - 1, nil // SECCOMP_ERROR_NUMBER_KILL of systemd
	}
	for n := int32(1); n < 4096; n++ {
		if value == strconv.Itoa(int(n)) || value != "" && unix.ErrnoName(unix.Errno(n)) == value {
			return n, nil
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

// Conditions on paths, and others; each is an Assert… too.
const (
	pathConditions = "DirectoryNotEmpty FileIsExecutable FileNotEmpty PathExists PathExistsGlob PathIsDirectory PathIsMountPoint PathIsReadWrite PathIsSymbolicLink"
	conditions     = "ACPower Architecture Capability Environment Group Host KernelCommandLine KernelVersion User Virtualization"
)

// withConditions adds Condition…= and Assert…= to a table.
func withConditions(table map[string]conversion) map[string]conversion {
	for _, name := range strings.Fields(pathConditions + " " + conditions) {
		table["Condition"+name] = conditionOf("Conditions")
		table["Assert"+name] = conditionOf("Asserts")
	}
	return table
}

// conditionOf makes an entry of the Conditions or Asserts property.
func conditionOf(name string) conversion {
	return func(key, value string) ([]Property, error) {
		if value == "" {
			return []Property{property(name, []condition{})}, nil
		}
		rest, triggers := strings.CutPrefix(value, "|")
		rest, negated := strings.CutPrefix(strings.TrimSpace(rest), "!")
		parameter, err := words.Literal(strings.TrimSpace(rest))
		ofPath := slices.Contains(strings.Fields(pathConditions), strings.TrimPrefix(strings.TrimPrefix(key, "Condition"), "Assert"))
		switch {
		case err != nil:
			return nil, err
		case parameter == "":
			return nil, errors.New("needs a value")
		case ofPath && !strings.HasPrefix(parameter, "/"):
			return nil, fmt.Errorf("%q is not an absolute path", parameter)
		}
		return []Property{property(name, []condition{{key, triggers, negated, parameter}})}, nil
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

// namespaces are the flags of clone(2).
var namespaces = map[string]uint64{
	"cgroup": unix.CLONE_NEWCGROUP, "ipc": unix.CLONE_NEWIPC, "net": unix.CLONE_NEWNET, "mnt": unix.CLONE_NEWNS,
	"pid": unix.CLONE_NEWPID, "user": unix.CLONE_NEWUSER, "uts": unix.CLONE_NEWUTS,
}

// namespaceTypes is which kinds of namespaces stay allowed: RestrictNamespaces=yes
// allows none, no allows all, a list allows those, ~ and a list all others.
func namespaceTypes(value string) (uint64, error) {
	list, inverted := strings.CutPrefix(value, "~")
	if restricted, err := boolean(value); err == nil {
		list, inverted = "", !restricted
	} else if list == "" {
		return 0, errors.New("needs a value")
	}
	var all, named uint64
	for _, flag := range namespaces {
		all |= flag
	}
	for _, name := range strings.Fields(list) {
		if namespaces[name] == 0 {
			return 0, fmt.Errorf("%q is not a kind of namespace (cgroup, ipc, net, mnt, pid, user, uts)", name)
		}
		named |= namespaces[name]
	}
	if inverted {
		return all &^ named, nil
	}
	return named, nil
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

// prefix is a network of IPAddressAllow= and IPAddressDeny=.
type prefix struct {
	Family  int32
	Address []byte
	Bits    uint32
}

// networkNames are the words that stand for networks.
var networkNames = strings.NewReplacer("any", "0.0.0.0/0 ::/0", "localhost", "127.0.0.0/8 ::1/128",
	"link-local", "169.254.0.0/16 fe80::/64", "multicast", "224.0.0.0/4 ff00::/8")

// networks is a list of addresses, networks and the words for some.
func networks(value string) ([]prefix, error) {
	list := []prefix{}
	for _, word := range strings.Fields(networkNames.Replace(value)) {
		p, err := netip.ParsePrefix(word)
		if a, notOne := netip.ParseAddr(word); notOne == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not an address, a network, or one of any, localhost, link-local, multicast", word)
		}
		family := int32(unix.AF_INET)
		if p.Addr().Is6() {
			family = unix.AF_INET6
		}
		list = append(list, prefix{family, p.Addr().AsSlice(), uint32(p.Bits())})
	}
	return list, nil
}
