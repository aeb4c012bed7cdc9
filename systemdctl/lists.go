package systemdctl

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

var unitNamePattern = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$`)

// unitNames is a list of units, as for After=. There is no emptying it.
func unitNames(value string) ([]string, error) {
	list, err := plainWords(value, retainEscapes)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("needs the name of a unit")
	}
	for _, name := range list {
		if !unitNamePattern.MatchString(name) {
			return nil, fmt.Errorf("%q is not the name of a unit", name)
		}
	}
	return list, nil
}

// wordList is a list of words.
func wordList(value string) ([]string, error) { return plainWords(value, dropEscapes) }

// pathList is a list of absolute paths, each with an optional "-" (may be missing) or "+".
func pathList(value string) ([]string, error) {
	list, err := plainWords(value, dropEscapes)
	if err != nil {
		return nil, err
	}
	for _, path := range list {
		if !strings.HasPrefix(strings.TrimLeft(path, "-+"), "/") {
			return nil, fmt.Errorf("%q is not an absolute path", path)
		}
	}
	return list, nil
}

// directoryNames is a list of paths below a directory that systemd makes.
func directoryNames(value string) ([]string, error) {
	list, err := plainWords(value, dropEscapes)
	if err != nil {
		return nil, err
	}
	for _, path := range list {
		if strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") || strings.Contains(path, ":") {
			return nil, fmt.Errorf("%q is not a plain relative path", path)
		}
	}
	return list, nil
}

// documentation is a list of URIs.
func documentation(value string) ([]string, error) {
	list, err := plainWords(value, dropEscapes)
	if err != nil {
		return nil, err
	}
	for _, uri := range list {
		scheme, _, _ := strings.Cut(uri, ":")
		switch scheme {
		case "http", "https", "file", "info", "man":
		default:
			return nil, fmt.Errorf("%q is not a URI of http, https, file, info or man", uri)
		}
	}
	return list, nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// environment is a list of VARIABLE=VALUE.
func environment(value string) ([]string, error) {
	list, err := plainWords(value, cEscapes)
	if err != nil {
		return nil, err
	}
	for _, assignment := range list {
		name, _, ok := strings.Cut(assignment, "=")
		if !ok || !variableName.MatchString(name) {
			return nil, fmt.Errorf("%q is not VARIABLE=VALUE (quote a value with spaces)", assignment)
		}
	}
	return list, nil
}

// variables is a list of names of environment variables, for PassEnvironment=; those
// of UnsetEnvironment= may also be assignments.
func variables(value string) ([]string, error) {
	list, err := plainWords(value, cEscapes)
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		name, _, _ := strings.Cut(v, "=")
		if !variableName.MatchString(name) {
			return nil, fmt.Errorf("%q is not a variable's name", v)
		}
	}
	return list, nil
}

// fileMayMiss is a path, and whether it may be missing ("-" before it).
type fileMayMiss struct {
	Path    string
	MayMiss bool
}

// environmentFile is one path.
func environmentFile(value string) ([]fileMayMiss, error) {
	if value == "" {
		return []fileMayMiss{}, nil
	}
	path, mayMiss := strings.CutPrefix(value, "-")
	path, err := absolutePath(path)
	return []fileMayMiss{{path, mayMiss}}, err
}

// filter is a list of what is allowed or, after "~", refused.
type filter struct {
	Allow bool
	Names []string
}

func filterOf(value string) (filter, error) {
	list, inverted := strings.CutPrefix(value, "~")
	names, err := plainWords(list, dropEscapes)
	return filter{!inverted, names}, err
}

// addressFamilies is a filter of AF_… names. "none" refuses all.
func addressFamilies(value string) (filter, error) {
	if value == "none" {
		return filter{true, []string{}}, nil
	}
	f, err := filterOf(value)
	if err != nil {
		return f, err
	}
	for _, name := range f.Names {
		if !strings.HasPrefix(name, "AF_") {
			return f, fmt.Errorf("%q is not an address family such as AF_INET", name)
		}
	}
	return f, nil
}

// credential is an id, and where its value comes from.
type credential struct{ ID, Source string }

// loadCredential is ID:PATH, or ID alone for one that the manager was given.
func loadCredential(value string) ([]credential, error) {
	if value == "" {
		return []credential{}, nil
	}
	value, err := plain(value)
	if err != nil {
		return nil, err
	}
	id, path, ok := strings.Cut(value, ":")
	if !ok || path == "" {
		path = id
	}
	if err := validCredential(id); err != nil {
		return nil, err
	}
	return []credential{{id, path}}, nil
}

// secret is an id and its value.
type secret struct {
	ID   string
	Data []byte
}

// setCredential is ID:VALUE, the value with C escapes. A percent sign is nothing
// special in it, in unit files neither.
func setCredential(value string) ([]secret, error) {
	return credentialValue(value, func(text string) ([]byte, error) {
		var data []byte
		for i := 0; i < len(text); {
			if text[i] != '\\' {
				data = append(data, text[i])
				i++
				continue
			}
			if strings.HasPrefix(text[i:], `\x00`) || strings.HasPrefix(text[i:], `\000`) {
				data = append(data, 0) // allowed here, and nowhere else
				i += 4
				continue
			}
			s, n, err := unescape(text[i:], cEscapes)
			if err != nil {
				return nil, err
			}
			data = append(data, s...)
			i += n
		}
		return data, nil
	})
}

// setCredentialEncrypted is ID:VALUE, the value as systemd-creds(1) printed it.
func setCredentialEncrypted(value string) ([]secret, error) {
	return credentialValue(value, func(text string) ([]byte, error) {
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errors.New("the value is not in base64")
		}
		return data, nil
	})
}

func credentialValue(value string, decode func(string) ([]byte, error)) ([]secret, error) {
	if value == "" {
		return []secret{}, nil
	}
	id, text, ok := strings.Cut(value, ":")
	if !ok {
		return nil, errors.New("needs ID:VALUE")
	}
	if err := validCredential(id); err != nil {
		return nil, err
	}
	data, err := decode(text)
	return []secret{{id, data}}, err
}

func validCredential(id string) error {
	if id == "" || strings.Contains(id, "/") || id == "." || id == ".." {
		return fmt.Errorf("%q is not a credential's name", id)
	}
	return nil
}

// condition is one ConditionX= or AssertX=.
type condition struct {
	Type      string
	Triggers  bool // one that triggers suffices ("|" before it)
	Negated   bool // "!" before it
	Parameter string
}

// conditionOf makes an entry of the Conditions or Asserts property.
func conditionOf(name string) conversion {
	return func(key, value string) ([]Property, error) {
		if value == "" {
			return []Property{property(name, []condition{})}, nil
		}
		rest, triggers := strings.CutPrefix(value, "|")
		rest, negated := strings.CutPrefix(strings.TrimLeft(rest, whitespace), "!")
		parameter, err := plain(strings.TrimLeft(rest, whitespace))
		if err != nil {
			return nil, err
		}
		if parameter == "" {
			return nil, errEmpty
		}
		if pathConditions[strings.TrimPrefix(strings.TrimPrefix(key, "Condition"), "Assert")] && !strings.HasPrefix(parameter, "/") {
			return nil, fmt.Errorf("%q is not an absolute path", parameter)
		}
		return []Property{property(name, []condition{{key, triggers, negated, parameter}})}, nil
	}
}

var pathConditions = map[string]bool{
	"PathExists": true, "PathExistsGlob": true, "PathIsDirectory": true, "PathIsSymbolicLink": true, "PathIsMountPoint": true,
	"PathIsReadWrite": true, "DirectoryNotEmpty": true, "FileNotEmpty": true, "FileIsExecutable": true, "NeedsUpdate": true,
}

// prefix is a network of IPAddressAllow= and IPAddressDeny=.
type prefix struct {
	Family  int32
	Address []byte
	Bits    uint32
}

// networkNames are the words that stand for networks.
var networkNames = map[string][]string{
	"any":        {"0.0.0.0/0", "::/0"},
	"localhost":  {"127.0.0.0/8", "::1/128"},
	"link-local": {"169.254.0.0/16", "fe80::/64"},
	"multicast":  {"224.0.0.0/4", "ff00::/8"},
}

// networks is a list of addresses, networks and the words for some.
func networks(value string) ([]prefix, error) {
	list := []prefix{}
	for _, word := range strings.Fields(value) {
		texts, ok := networkNames[word]
		if !ok {
			texts = []string{word}
		}
		for _, text := range texts {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				a, err := netip.ParseAddr(text)
				if err != nil {
					return nil, fmt.Errorf("%q is not an address, a network, or one of any, localhost, link-local, multicast", word)
				}
				p = netip.PrefixFrom(a, a.BitLen())
			}
			family := int32(unix.AF_INET)
			if p.Addr().Is6() {
				family = unix.AF_INET6
			}
			list = append(list, prefix{family, p.Addr().AsSlice(), uint32(p.Bits())})
		}
	}
	return list, nil
}

// bind is an entry of BindPaths= and BindReadOnlyPaths=.
type bind struct {
	Source, Destination string
	MayMiss             bool
	Flags               uint64
}

// binds is a list of SOURCE[:DESTINATION[:rbind|norbind]], "-" before one that may be missing.
func binds(value string) ([]bind, error) {
	list, err := plainWords(value, dropEscapes)
	if err != nil {
		return nil, err
	}
	entries := []bind{}
	for _, word := range list {
		parts := strings.Split(word, ":")
		source, mayMiss := strings.CutPrefix(parts[0], "-")
		b := bind{source, source, mayMiss, unix.MS_REC}
		if len(parts) > 1 {
			b.Destination = parts[1]
		}
		if len(parts) > 2 {
			switch parts[2] {
			case "", "rbind":
			case "norbind":
				b.Flags = 0
			default:
				return nil, fmt.Errorf("%q is neither rbind nor norbind", parts[2])
			}
		}
		if len(parts) > 3 || !strings.HasPrefix(b.Source, "/") || !strings.HasPrefix(b.Destination, "/") {
			return nil, fmt.Errorf("%q is not SOURCE[:DESTINATION[:rbind|norbind]] with absolute paths", word)
		}
		entries = append(entries, b)
	}
	return entries, nil
}

// pair is an entry of TemporaryFileSystem= or DeviceAllow=.
type pair struct{ Path, Options string }

// temporaryFileSystems is a list of PATH[:OPTIONS].
func temporaryFileSystems(value string) ([]pair, error) {
	list, err := plainWords(value, dropEscapes)
	if err != nil {
		return nil, err
	}
	entries := []pair{}
	for _, word := range list {
		path, options, _ := strings.Cut(word, ":")
		if !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("%q is not an absolute path", path)
		}
		entries = append(entries, pair{path, options})
	}
	return entries, nil
}

// deviceAllow is DEVICE [rwm].
func deviceAllow(value string) ([]pair, error) {
	if value == "" {
		return []pair{}, nil
	}
	value, err := plain(value)
	if err != nil {
		return nil, err
	}
	device, access, _ := strings.Cut(value, " ")
	if strings.Trim(access, "rwm") != "" {
		return nil, fmt.Errorf("%q is not made of r, w and m", access)
	}
	return []pair{{device, access}}, nil
}

// logFields is a list of FIELD=VALUE for each log line.
func logFields(value string) ([][]byte, error) {
	list, err := plainWords(value, cEscapes)
	if err != nil {
		return nil, err
	}
	fields := [][]byte{}
	for _, word := range list {
		name, _, ok := strings.Cut(word, "=")
		if !ok || !logFieldName.MatchString(name) {
			return nil, fmt.Errorf("%q is not FIELD=VALUE, the field in capitals", word)
		}
		fields = append(fields, []byte(word))
	}
	return fields, nil
}

var logFieldName = regexp.MustCompile(`^[A-Z0-9][A-Z0-9_]{0,63}$`)

// statusesAndSignals is a list of exit statuses and signals that is added to.
func statusesAndSignals(value string) (exitStatuses, error) {
	set := exitStatuses{[]int32{}, []int32{}}
	list, err := plainWords(value, dropEscapes)
	if err != nil {
		return set, err
	}
	if len(list) == 0 {
		return set, errors.New("needs an exit status or a signal; the list can only be added to")
	}
	for _, word := range list {
		if n, err := unsigned(word); err == nil && n <= 255 {
			set.Statuses = append(set.Statuses, int32(n))
			continue
		}
		n, err := signal(word)
		if err != nil {
			return set, fmt.Errorf("%q is neither an exit status nor a signal", word)
		}
		set.Signals = append(set.Signals, n)
	}
	return set, nil
}
