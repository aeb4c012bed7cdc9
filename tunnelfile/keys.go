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

// defaults is a tunnel that only says its name.
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
	// text is set for a value that is taken to the end of the line: in such a value a
	// ";" may be meant.
	text bool
	// set takes a value over into the tunnel and says what is wrong with it.
	set func(t *Tunnel, value string, at Setting) (why string)
	// reset makes it as if the key had not been given: an empty assignment does that.
	reset func(t *Tunnel)
	// format is the inverse of set: the values that make the tunnel what it is.
	format func(t Tunnel) []string
	// word is the value in force, written or not, of a key that has one; nil for a list.
	word func(t Tunnel) string
}

// list says whether each assignment adds to those before.
func (k tunnelKey) list() bool { return k.word == nil }

// tunnelKeys are the keys of [Tunnel] in the order in which Format writes them. They are
// filled in by init, since messages about one key name others.
var tunnelKeys []tunnelKey

func init() {
	tunnelKeys = []tunnelKey{
		textKey("Description", func(t *Tunnel) *string { return &t.Description }),
		{
			name: "Destination",
			set: func(t *Tunnel, value string, _ Setting) string {
				t.Destination = value
				return CheckDestination(value)
			},
			reset:  func(t *Tunnel) { t.Destination = "" },
			format: func(t Tunnel) []string { return unless(t.Destination == "", t.Destination) },
			word:   func(t Tunnel) string { return t.Destination },
		},
		forwardKey(LocalForward),
		forwardKey(RemoteForward),
		forwardKey(DynamicForward),
		wordKey("Start", func(t *Tunnel) *StartMode { return &t.Start }, StartAuto, StartOnDemand, StartManual),
		spanKey("IdleTimeout", 0, func(t *Tunnel) *time.Duration { return &t.IdleTimeout }),
		spanKey("HoldTimeout", 0, func(t *Tunnel) *time.Duration { return &t.HoldTimeout }),
		numberKey("MaxHeld", 0, 1<<16, func(t *Tunnel) *int { return &t.MaxHeld }),
		wordKey("AllowUsers", func(t *Tunnel) *string { return &t.AllowUsers }, "any", "self"),
		numberKey("Connections", 1, 16, func(t *Tunnel) *int { return &t.Connections }),
		tagsKey(),
		spanKey("GateTime", 0, func(t *Tunnel) *time.Duration { return &t.GateTime }),
		retryMaxKey(),
		wordKey("Transport", func(t *Tunnel) *Transport { return &t.Transport }, TransportAuto, TransportNative, TransportOpenSSH),
		commandKey("ExecUp", func(t *Tunnel) *[][]string { return &t.ExecUp }),
		commandKey("ExecDown", func(t *Tunnel) *[][]string { return &t.ExecDown }),
		wordKey("Check", func(t *Tunnel) *string { return &t.Check }, "none", "connect"),
		maxChannelsKey(),
		retryDeniedKey(),
		boolKey("Metered", func(t *Tunnel) *bool { return &t.Metered }),
		globsKey("OnlyOn", func(t *Tunnel) *[]string { return &t.OnlyOn }),
		globsKey("NeverOn", func(t *Tunnel) *[]string { return &t.NeverOn }),
	}
}

// Keys are the keys of [Tunnel], in the order in which Format writes them.
func Keys() []string { return tunnelKeyNames() }

func tunnelKeyNames() []string {
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
	if word := text.Nearest(written, tunnelKeyNames()); word != "" {
		return fmt.Sprintf("is not a key of [Tunnel] (did you mean %s?)", word)
	}
	if isKeyword(written) {
		return "is not a key of [Tunnel]: a keyword of ssh_config(5) belongs in [SSH]"
	}
	return "is not a key of [Tunnel]"
}

// unless is the value, or none where it goes without saying.
func unless(silent bool, value string) []string {
	if silent {
		return nil
	}
	return []string{value}
}

func textKey(name string, at func(*Tunnel) *string) tunnelKey {
	return tunnelKey{
		name: name,
		text: true,
		set: func(t *Tunnel, value string, _ Setting) string {
			*at(t) = value
			return ""
		},
		reset:  func(t *Tunnel) { *at(t) = "" },
		format: func(t Tunnel) []string { return unless(*at(&t) == "", *at(&t)) },
		word:   func(t Tunnel) string { return *at(&t) },
	}
}

func wordKey[T ~string](name string, at func(*Tunnel) *T, words ...T) tunnelKey {
	plain := make([]string, len(words))
	for i, word := range words {
		plain[i] = string(word)
	}
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			if !slices.Contains(plain, value) {
				return oneOf(value, plain)
			}
			*at(t) = T(value)
			return ""
		},
		reset:  resetTo(at),
		format: func(t Tunnel) []string { return unless(isDefault(t, at), string(*at(&t))) },
		word:   func(t Tunnel) string { return string(*at(&t)) },
	}
}

func spanKey(name string, lowest time.Duration, at func(*Tunnel) *time.Duration) tunnelKey {
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			span, err := ParseSpan(value)
			if err != nil {
				return err.Error()
			}
			if span < lowest {
				return fmt.Sprintf("%q is shorter than %s", value, FormatSpan(lowest))
			}
			*at(t) = span
			return ""
		},
		reset:  resetTo(at),
		format: func(t Tunnel) []string { return unless(isDefault(t, at), FormatSpan(*at(&t))) },
		word:   func(t Tunnel) string { return FormatSpan(*at(&t)) },
	}
}

// retryMaxKey is a time span that a server can live with and a person too.
func retryMaxKey() tunnelKey {
	key := spanKey("RetryMax", time.Second, func(t *Tunnel) *time.Duration { return &t.RetryMax })
	setSpan := key.set
	key.set = func(t *Tunnel, value string, at Setting) string {
		before := t.RetryMax
		if why := setSpan(t, value, at); why != "" {
			return why
		}
		if t.RetryMax == Infinity {
			t.RetryMax = before
			return "infinity would be to give up: it is the longest wait between two tries"
		}
		return ""
	}
	return key
}

func numberKey(name string, lowest, highest int, at func(*Tunnel) *int) tunnelKey {
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			n, err := strconv.Atoi(value)
			if err != nil || n < lowest || n > highest {
				return fmt.Sprintf("%q is not a number from %d to %d", value, lowest, highest)
			}
			*at(t) = n
			return ""
		},
		reset:  resetTo(at),
		format: func(t Tunnel) []string { return unless(isDefault(t, at), strconv.Itoa(*at(&t))) },
		word:   func(t Tunnel) string { return strconv.Itoa(*at(&t)) },
	}
}

// maxChannelsKey is a number that, where nobody wrote it, follows from LimitNOFILE=.
func maxChannelsKey() tunnelKey {
	key := numberKey("MaxChannels", 1, 1<<20, func(t *Tunnel) *int { return &t.MaxChannels })
	number := key.word
	key.word = func(t Tunnel) string {
		if t.MaxChannels == 0 {
			return "by LimitNOFILE"
		}
		return number(t)
	}
	return key
}

// retryDeniedKey is "never", or a time span that a server's penalties can live with.
func retryDeniedKey() tunnelKey {
	const never = "never"
	key := spanKey("RetryDenied", time.Minute, func(t *Tunnel) *time.Duration { return &t.RetryDenied })
	setSpan := key.set
	key.set = func(t *Tunnel, value string, at Setting) string {
		switch value {
		case never:
			t.RetryDenied = 0
			return ""
		case "infinity":
			return "infinity would be never: write never"
		}
		if _, err := ParseSpan(value); err != nil {
			return fmt.Sprintf("%q is neither never nor a time span of at least 1min%s", value, text.DidYouMean(value, []string{never}))
		}
		return setSpan(t, value, at)
	}
	key.word = func(t Tunnel) string {
		if t.RetryDenied == 0 {
			return never
		}
		return FormatSpan(t.RetryDenied)
	}
	return key
}

// tagsKey is a list of words, several in one value, and several values.
func tagsKey() tunnelKey {
	return tunnelKey{
		name: "Tags",
		set: func(t *Tunnel, value string, _ Setting) string {
			for _, tag := range strings.Fields(value) {
				switch bare := strings.TrimPrefix(tag, "@"); {
				case bare != tag && ValidName(bare):
					return fmt.Sprintf("%q is written without the @ here", tag)
				case !ValidName(tag):
					return fmt.Sprintf("%q is not a tag: %s", tag, nameRule)
				case !slices.Contains(t.Tags, tag):
					t.Tags = append(t.Tags, tag)
				}
			}
			return ""
		},
		reset:  func(t *Tunnel) { t.Tags = nil },
		format: func(t Tunnel) []string { return unless(len(t.Tags) == 0, strings.Join(t.Tags, " ")) },
	}
}

// yesOrNo reads a boolean as systemd does.
func yesOrNo(value string) (yes bool, why string) {
	yes, ok := words.Boolean(value)
	if !ok {
		why = oneOf(value, []string{"yes", "no"})
	}
	return yes, why
}

func boolKey(name string, at func(*Tunnel) *bool) tunnelKey {
	word := func(t Tunnel) string {
		if *at(&t) {
			return "yes"
		}
		return "no"
	}
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			yes, why := yesOrNo(value)
			if why == "" {
				*at(t) = yes
			}
			return why
		},
		reset:  resetTo(at),
		format: func(t Tunnel) []string { return unless(isDefault(t, at), word(t)) },
		word:   word,
	}
}

// globsKey is a list of patterns: several in one value, and several values. Names of
// networks have blanks in them, and who writes "OnlyOn=Wired connection 1" means one: so
// without quotes the value as a whole is a pattern as well as each of its words.
func globsKey(name string, at func(*Tunnel) *[]string) tunnelKey {
	return tunnelKey{
		name: name,
		set: func(t *Tunnel, value string, _ Setting) string {
			words, err := Words(value)
			if err != nil {
				return err.Error()
			}
			for _, word := range words {
				if word == "" {
					return "has an empty pattern"
				}
				if _, err := path.Match(word, ""); err != nil {
					return fmt.Sprintf("%q is not a pattern: %v", word, err)
				}
			}
			if len(words) > 1 && !strings.ContainsAny(value, `"'\`) {
				words = append(words, value)
			}
			*at(t) = append(*at(t), words...)
			return ""
		},
		reset: func(t *Tunnel) { *at(t) = nil },
		format: func(t Tunnel) []string {
			globs := *at(&t)
			return unless(len(globs) == 0, joinWords(globs))
		},
	}
}

// commandKey is a list of commands, one a value: words as Words has them, no shell.
func commandKey(name string, at func(*Tunnel) *[][]string) tunnelKey {
	return tunnelKey{
		name: name,
		text: true,
		set: func(t *Tunnel, value string, _ Setting) string {
			argv, err := Words(value)
			if err != nil {
				return err.Error()
			}
			if why := checkCommand(name, argv); why != "" {
				return why
			}
			*at(t) = append(*at(t), argv)
			return ""
		},
		reset: func(t *Tunnel) { *at(t) = nil },
		format: func(t Tunnel) []string {
			var values []string
			for _, argv := range *at(&t) {
				values = append(values, joinWords(argv))
			}
			return values
		},
	}
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

// resetTo makes a reset that gives a field its default.
func resetTo[T any](at func(*Tunnel) *T) func(*Tunnel) {
	return func(t *Tunnel) {
		d := defaults(t.Name)
		*at(t) = *at(&d)
	}
}

func isDefault[T comparable](t Tunnel, at func(*Tunnel) *T) bool {
	d := defaults(t.Name)
	return *at(&t) == *at(&d)
}
