package tunnelfile

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/internal/words"
)

// defaults is a tunnel whose file sets nothing.
func defaults(name string) Tunnel {
	return Tunnel{
		Name:        name,
		Start:       StartAuto,
		IdleTimeout: 10 * time.Second,
		HoldTimeout: 30 * time.Second,
		MaxHeld:     256,
		AllowUsers:  "any",
		Connections: 1,
		GateTime:    30 * time.Second,
		RetryMax:    60 * time.Second,
		Transport:   TransportAuto,
		Check:       "none",
		Metered:     true,
	}
}

// tunnelKey is a key of [Tunnel].
type tunnelKey struct {
	name string
	// text says that the value goes to the end of the line: a ";" in it is no comment.
	text bool
	// set takes a value over into the tunnel, and says what is wrong with it.
	set func(t *Tunnel, value string, at Setting) (why string)
	// reset does what an empty assignment does: as if the key had not been given.
	reset func(t *Tunnel)
	// format is the inverse of set: the values that make the tunnel what it is.
	format func(t Tunnel) []string
	// word is the value in force, written or not. It is nil for a list.
	word func(t Tunnel) string
}

// list says whether each assignment adds to those before it.
func (k tunnelKey) list() bool { return k.word == nil }

// tunnelKeys are the keys of [Tunnel] in the order in which Format writes them. init fills them in,
// since messages about one key name others.
var tunnelKeys []tunnelKey

func init() {
	tunnelKeys = []tunnelKey{
		descriptionKey(),
		valueKey("Destination", func(t *Tunnel) *string { return &t.Destination },
			func(value string) (string, string) { return value, CheckDestination(value) }, itself),
		forwardKey(LocalForward),
		forwardKey(RemoteForward),
		forwardKey(DynamicForward),
		wordKey("Start", func(t *Tunnel) *StartMode { return &t.Start }, StartAuto, StartOnDemand, StartManual),
		valueKey("IdleTimeout", func(t *Tunnel) *time.Duration { return &t.IdleTimeout }, anySpan, FormatSpan),
		valueKey("HoldTimeout", func(t *Tunnel) *time.Duration { return &t.HoldTimeout }, anySpan, FormatSpan),
		valueKey("MaxHeld", func(t *Tunnel) *int { return &t.MaxHeld }, number(0, 1<<16), strconv.Itoa),
		wordKey("AllowUsers", func(t *Tunnel) *string { return &t.AllowUsers }, "any", "self"),
		valueKey("Connections", func(t *Tunnel) *int { return &t.Connections }, connections, formatConnections),
		listKey("Tags", func(t *Tunnel) *[]string { return &t.Tags }, addTags, oneLine(func(tags []string) string { return strings.Join(tags, " ") })),
		valueKey("GateTime", func(t *Tunnel) *time.Duration { return &t.GateTime }, anySpan, FormatSpan),
		valueKey("RetryMax", func(t *Tunnel) *time.Duration { return &t.RetryMax }, retryMax, FormatSpan),
		wordKey("Transport", func(t *Tunnel) *Transport { return &t.Transport }, TransportAuto, TransportNative, TransportOpenSSH),
		commandKey("ExecUp", func(t *Tunnel) *[][]string { return &t.ExecUp }),
		commandKey("ExecDown", func(t *Tunnel) *[][]string { return &t.ExecDown }),
		wordKey("Check", func(t *Tunnel) *string { return &t.Check }, "none", "connect"),
		valueKey("MaxChannels", func(t *Tunnel) *int { return &t.MaxChannels }, number(1, 1<<20), formatMaxChannels),
		valueKey("RetryDenied", func(t *Tunnel) *time.Duration { return &t.RetryDenied }, retryDenied, formatRetryDenied),
		valueKey("NoDelay", func(t *Tunnel) *bool { return &t.NoDelay }, yesOrNo, formatBool),
		valueKey("Metered", func(t *Tunnel) *bool { return &t.Metered }, yesOrNo, formatBool),
		listKey("OnlyOn", func(t *Tunnel) *[]string { return &t.OnlyOn }, addGlobs, oneLine(joinWords)),
		listKey("NeverOn", func(t *Tunnel) *[]string { return &t.NeverOn }, addGlobs, oneLine(joinWords)),
	}
}

// Keys are the keys of [Tunnel], in the order in which Format writes them.
func Keys() []string {
	names := make([]string, len(tunnelKeys))
	for i, k := range tunnelKeys {
		names[i] = k.name
	}
	return names
}

func findTunnelKey(name string) (tunnelKey, bool) {
	i := slices.IndexFunc(tunnelKeys, func(k tunnelKey) bool { return k.name == name })
	if i < 0 {
		return tunnelKey{}, false
	}
	return tunnelKeys[i], true
}

// unknownTunnelKey is the message for a key that [Tunnel] does not have.
func unknownTunnelKey(written string) string {
	if word := text.Nearest(written, Keys()); word != "" {
		return fmt.Sprintf("is not a key of [Tunnel] (did you mean %s?)", word)
	}
	if isKeyword(written) {
		return "is not a key of [Tunnel]: a keyword of ssh_config(5) belongs in [SSH]"
	}
	return "is not a key of [Tunnel]"
}

// valueKey is a key that has one value. parse reads it, and write is the inverse.
func valueKey[T comparable](name string, at func(*Tunnel) *T, parse func(string) (T, string), write func(T) string) tunnelKey {
	byDefault := func() T { d := defaults(""); return *at(&d) }
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			v, why := parse(value)
			if why == "" {
				*at(t) = v
			}
			return why
		},
		reset: func(t *Tunnel) { *at(t) = byDefault() },
		format: func(t Tunnel) []string {
			if *at(&t) == byDefault() {
				return nil
			}
			return []string{write(*at(&t))}
		},
		word: func(t Tunnel) string { return write(*at(&t)) },
	}
}

// listKey is a key to which each assignment adds. add reads a value, and write is the inverse.
func listKey[T any](name string, at func(*Tunnel) *[]T, add func(list []T, value string) ([]T, string), write func([]T) []string) tunnelKey {
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			list, why := add(*at(t), value)
			if why == "" {
				*at(t) = list
			}
			return why
		},
		reset:  func(t *Tunnel) { *at(t) = nil },
		format: func(t Tunnel) []string { return write(*at(&t)) },
	}
}

// oneLine writes a list as one value, and an empty list as none.
func oneLine(join func([]string) string) func([]string) []string {
	return func(list []string) []string {
		if len(list) == 0 {
			return nil
		}
		return []string{join(list)}
	}
}

func itself(value string) string { return value }

func descriptionKey() tunnelKey {
	key := valueKey("Description", func(t *Tunnel) *string { return &t.Description },
		func(value string) (string, string) { return value, "" }, itself)
	key.text = true
	return key
}

func wordKey[T ~string](name string, at func(*Tunnel) *T, words ...T) tunnelKey {
	allowed := make([]string, len(words))
	for i, word := range words {
		allowed[i] = string(word)
	}
	return valueKey(name, at, func(value string) (T, string) {
		if !slices.Contains(allowed, value) {
			return "", oneOf(value, allowed)
		}
		return T(value), ""
	}, func(word T) string { return string(word) })
}

func anySpan(value string) (time.Duration, string) { return spanFrom(0, value) }

func spanFrom(lowest time.Duration, value string) (time.Duration, string) {
	span, err := ParseSpan(value)
	switch {
	case err != nil:
		return 0, err.Error()
	case span < lowest:
		return 0, fmt.Sprintf("%q is shorter than %s", value, FormatSpan(lowest))
	}
	return span, ""
}

// retryMax is a wait that suits both a server and a person.
func retryMax(value string) (time.Duration, string) {
	span, why := spanFrom(time.Second, value)
	if span == Infinity {
		why = "infinity would be to give up: it is the longest wait between two tries"
	}
	return span, why
}

// MaxAutoConnections is how many SSH connections Connections=auto comes to.
const MaxAutoConnections = 8

const auto = "auto"

// connections is how many SSH connections there are to be, or "auto", which is 0.
func connections(value string) (int, string) {
	if value == auto {
		return 0, ""
	}
	n, why := number(1, 16)(value)
	if why != "" {
		why += ", nor auto" + text.DidYouMean(value, []string{auto})
	}
	return n, why
}

func formatConnections(n int) string {
	if n == 0 {
		return auto
	}
	return strconv.Itoa(n)
}

const never = "never"

// retryDenied is "never", which is 0, or a time span that is no offence to the server.
func retryDenied(value string) (time.Duration, string) {
	switch value {
	case never:
		return 0, ""
	case "infinity":
		return 0, "infinity would be never: write never"
	}
	if _, err := ParseSpan(value); err != nil {
		return 0, fmt.Sprintf("%q is neither never nor a time span of at least 1min%s", value, text.DidYouMean(value, []string{never}))
	}
	return spanFrom(time.Minute, value)
}

func formatRetryDenied(span time.Duration) string {
	if span == 0 {
		return never
	}
	return FormatSpan(span)
}

func number(lowest, highest int) func(string) (int, string) {
	return func(value string) (int, string) {
		n, err := strconv.Atoi(value)
		if err != nil || n < lowest || n > highest {
			return 0, fmt.Sprintf("%q is not a number from %d to %d", value, lowest, highest)
		}
		return n, ""
	}
}

// formatMaxChannels: 0, the default, is a number that follows from LimitNOFILE=.
func formatMaxChannels(n int) string {
	if n == 0 {
		return "by LimitNOFILE"
	}
	return strconv.Itoa(n)
}

// yesOrNo reads a boolean as systemd does.
func yesOrNo(value string) (yes bool, why string) {
	yes, ok := words.Boolean(value)
	if !ok {
		why = oneOf(value, []string{"yes", "no"})
	}
	return yes, why
}

func formatBool(yes bool) string { return map[bool]string{true: "yes", false: "no"}[yes] }

// oneOf is the message for a value that is none of the words a key takes.
func oneOf(written string, words []string) string {
	return fmt.Sprintf("%q is not %s%s", written, text.Or(words), text.DidYouMean(written, words))
}

// addTags takes several words in a value, each once.
func addTags(tags []string, value string) ([]string, string) {
	for _, tag := range strings.Fields(value) {
		switch bare := strings.TrimPrefix(tag, "@"); {
		case bare != tag && ValidName(bare):
			return nil, fmt.Sprintf("%q is written without the @ here", tag)
		case !ValidName(tag):
			return nil, fmt.Sprintf("%q is not a tag: %s", tag, nameRule)
		case !slices.Contains(tags, tag):
			tags = append(tags, tag)
		}
	}
	return tags, ""
}

// addGlobs takes several patterns in a value. Names of networks have blanks in them, and a person
// who writes "OnlyOn=Wired connection 1" means one name. So a value without quotes is a pattern as
// a whole as well, besides each of its words.
func addGlobs(globs []string, value string) ([]string, string) {
	words, err := Words(value)
	if err != nil {
		return nil, err.Error()
	}
	for _, word := range words {
		if word == "" {
			return nil, "has an empty pattern"
		}
		if _, err := path.Match(word, ""); err != nil {
			return nil, fmt.Sprintf("%q is not a pattern: %v", word, err)
		}
	}
	if len(words) > 1 && !strings.ContainsAny(value, `"'\`) {
		words = append(words, value)
	}
	return append(globs, words...), ""
}

// commandKey is a list of commands, one in each value: words as Words splits them, no shell.
func commandKey(name string, at func(*Tunnel) *[][]string) tunnelKey {
	key := listKey(name, at, func(commands [][]string, value string) ([][]string, string) {
		argv, err := Words(value)
		if err != nil {
			return nil, err.Error()
		}
		return append(commands, argv), checkCommand(name, argv)
	}, func(commands [][]string) []string {
		var values []string
		for _, argv := range commands {
			values = append(values, joinWords(argv))
		}
		return values
	})
	key.text = true
	return key
}

func checkCommand(key string, argv []string) (why string) {
	command := argv[0]
	switch {
	case command == "":
		return "has no command"
	case strings.IndexByte("-@:+!", command[0]) >= 0:
		return fmt.Sprintf("a command does not begin with %c here; its failure is logged and does no harm", command[0])
	case strings.Contains(command, "/") && !path.IsAbs(command):
		return fmt.Sprintf("%q is neither a command's name nor a whole path", command)
	case slices.Contains(argv, ";"):
		return fmt.Sprintf("is one command; write a second %s= for another, or sh -c \"…\"", key)
	}
	return ""
}

func forwardKey(kind ForwardKind) tunnelKey {
	mine := func(f Forward) bool { return f.Kind == kind }
	return tunnelKey{
		name: string(kind),
		set: func(t *Tunnel, value string, at Setting) string {
			f, err := ParseForward(kind, value)
			if err != nil {
				return err.Error()
			}
			f.Path, f.Line = at.Path, at.Line
			t.Forwards = append(t.Forwards, f)
			return ""
		},
		reset: func(t *Tunnel) { t.Forwards = slices.DeleteFunc(t.Forwards, mine) },
		format: func(t Tunnel) []string {
			var values []string
			for _, f := range t.Forwards {
				if mine(f) {
					values = append(values, f.Spec())
				}
			}
			return values
		},
	}
}
