package tunnelfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// FromSSHArguments makes the text of a tunnel file from the arguments of ssh or autossh. It leaves
// out arguments that do not concern a tunnel (-N, -f, -T, -v, autossh's -M, …). The error names an
// argument that a tunnel cannot do.
//
// A relative path after -i begins in the working directory, as with ssh.
func FromSSHArguments(args []string) (text string, err error) {
	c := converter{args: args}
	if err := c.read(); err != nil {
		return "", err
	}
	return c.text()
}

// read reads all arguments. A lenient converter goes on after a mistake.
func (c *converter) read() (first error) {
	for len(c.args) > 0 {
		arg := c.args[0]
		c.args = c.args[1:]
		err := c.argument(arg)
		if err != nil && !c.lenient {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// argument reads one argument, and those after it that belong to it.
func (c *converter) argument(arg string) error {
	switch {
	case arg == "--":
		// ssh looks for options after the destination too, but not after "--".
		if c.destination == "" && len(c.args) > 0 {
			c.destination, c.args = c.args[0], c.args[1:]
		}
		if len(c.args) > 0 {
			return c.command(c.args)
		}
	case len(arg) > 1 && arg[0] == '-':
		return c.options(arg[1:])
	case c.destination == "":
		c.destination = arg
	default:
		return c.command(append([]string{arg}, c.args...))
	}
	return nil
}

// command handles a command for the server.
func (c *converter) command(words []string) error {
	if !c.lenient {
		return remoteCommand(c.destination, words)
	}
	c.leftOut = append(c.leftOut, fmt.Sprintf("the command on the server (%s): a tunnel runs none there", strings.Join(words, " ")))
	c.args = nil
	return nil
}

// sshOptions are the letters of ssh(1), and what each does to a tunnel. An argument follows its
// letter as with getopt(3): "-p22" or "-p 22".
var sshOptions = map[byte]sshOption{
	'4': {key: "AddressFamily", value: "inet"},
	'6': {key: "AddressFamily", value: "inet6"},
	'B': {argument: true, key: "BindInterface"},
	'C': {key: "Compression", value: "yes"},
	'D': {argument: true, do: forwardTo(DynamicForward)},
	'I': {argument: true, key: "PKCS11Provider"},
	'J': {argument: true, key: "ProxyJump"},
	'K': {key: "GSSAPIAuthentication", value: "yes"},
	'L': {argument: true, do: forwardTo(LocalForward)},
	'P': {argument: true, key: "Tag"},
	'R': {argument: true, do: forwardTo(RemoteForward)},
	'S': {argument: true, key: "ControlPath"},
	'b': {argument: true, key: "BindAddress"},
	'c': {argument: true, key: "Ciphers"},
	'g': {key: "GatewayPorts", value: "yes"},
	'i': {argument: true, do: (*converter).identity},
	'k': {key: "GSSAPIDelegateCredentials", value: "no"},
	'l': {argument: true, key: "User"},
	'm': {argument: true, key: "MACs"},
	'o': {argument: true, do: (*converter).option},
	'p': {argument: true, key: "Port"},

	// These are about a terminal, a session, the background or output, which a tunnel does not have.
	'N': {do: (*converter).forForwards}, 'f': {do: (*converter).forForwards},
	'2': {}, 'A': {}, 'T': {}, 'a': {}, 'n': {}, 'q': {}, 't': {}, 'v': {}, 'x': {}, 'y': {},
	'E': {argument: true}, 'e': {argument: true}, // the journal has the output

	'1': {refused: "there is no SSH protocol 1 any more"},
	'F': {argument: true, do: (*converter).configFile},
	'G': {refused: "that prints settings; \"holdfast explain\" does it for a tunnel"},
	'O': {argument: true, refused: "that commands another ssh"},
	'Q': {argument: true, refused: "that lists what ssh knows"},
	'V': {refused: "that prints ssh's version"},
	'W': {argument: true, refused: "standard input and output have no place in a tunnel; -L forwards a port"},
	'X': {loose: true, refused: "a tunnel forwards no X11"},
	'Y': {loose: true, refused: "a tunnel forwards no X11"},
	's': {loose: true, refused: "a tunnel asks for no subsystem"},
	'w': {argument: true, loose: true, refused: "a tunnel forwards no network device"},
}

// sshOption is what one option does: nothing, if no more is said of it.
type sshOption struct {
	argument   bool   // it takes an argument
	key, value string // the keyword that it sets; without a value the argument is the value
	refused    string // why a tunnel cannot do it
	loose      bool   // a tunnel can do without it
	do         func(c *converter, argument string) error
}

func (o sshOption) apply(c *converter, argument string) error {
	switch {
	case o.refused != "":
		return errors.New(o.refused)
	case o.do != nil:
		return o.do(c, argument)
	case o.key != "" && o.argument:
		return c.set(o.key, quoteWord(argument))
	case o.key != "":
		return c.set(o.key, o.value)
	}
	return nil
}

func forwardTo(kind ForwardKind) func(c *converter, argument string) error {
	return func(c *converter, argument string) error { return c.forward(kind, quoteWord(argument)) }
}

// converter reads arguments and collects what a tunnel takes over from them.
type converter struct {
	args        []string // not yet read
	destination string
	forwards    []assignment
	ssh         []assignment

	lenient   bool // CarryOver
	config    string
	dir       string // where relative paths begin; "" is the working directory
	leftOut   []string
	noCommand bool
	wants     bool // there is a forward among the arguments, right or wrong
}

type assignment struct{ key, value string }

// LongOptionError is a long option among ssh's arguments, "--" included. ssh has none.
type LongOptionError string

func (e LongOptionError) Error() string { return string(e) + ": ssh has no such option" }

// options reads the letters of one argument: "-fNT", "-p2222", "-NL" and the next.
func (c *converter) options(letters string) error {
	if strings.HasPrefix(letters, "-") {
		return LongOptionError("-" + letters)
	}
	for letters != "" {
		letter := letters[0]
		letters = letters[1:]
		if letter == 'M' {
			rest, err := c.monitorPort(letters)
			switch {
			case err != nil && c.lenient:
				c.leftOut = append(c.leftOut, err.Error())
			case err != nil:
				return err
			default:
				letters = rest
			}
			continue
		}
		option, known := sshOptions[letter]
		if !known {
			return fmt.Errorf("-%c: ssh has no such option", letter)
		}
		argument := ""
		if option.argument {
			argument, letters = letters, ""
			if argument == "" {
				if len(c.args) == 0 {
					return fmt.Errorf("-%c: needs an argument", letter)
				}
				argument, c.args = c.args[0], c.args[1:]
			}
		}
		if err := option.apply(c, argument); err != nil {
			err = fmt.Errorf("%s: %w", strings.TrimSpace(fmt.Sprintf("-%c %s", letter, argument)), err)
			if !option.loose || !c.lenient {
				return err
			}
			c.leftOut = append(c.leftOut, err.Error())
		}
	}
	return nil
}

// monitorPort reads what follows -M: for autossh a port, or port:echo_port, which a tunnel does not
// need; for ssh nothing, because there -M asks for a ControlMaster.
func (c *converter) monitorPort(letters string) (rest string, err error) {
	isPort := func(s string) bool {
		port, echo, has := strings.Cut(s, ":")
		return isNumber(port) && (!has || isNumber(echo))
	}
	switch {
	case isPort(letters):
		return "", nil
	case letters == "" && len(c.args) > 0 && isPort(c.args[0]):
		c.args = c.args[1:]
		return "", nil
	}
	return "", errors.New("-M: a tunnel's connection is no ControlMaster for other ssh commands (autossh's -M has a port behind it)")
}

// identity takes over -i.
func (c *converter) identity(path string) error {
	if path != "none" && !strings.HasPrefix(path, "~") && !strings.HasPrefix(path, "%") && !strings.HasPrefix(path, "${") {
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.dir, path)
		}
		whole, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		path = whole
	}
	return c.set("IdentityFile", quoteWord(path))
}

// configFile handles -F.
func (c *converter) configFile(path string) error {
	if !c.lenient {
		return errors.New("a tunnel reads ~/.ssh/config; what that file says belongs there, or in the tunnel's [SSH]")
	}
	c.config = path
	return nil
}

// sessionKeywords are what -f, -n, -N and -T are as keywords.
var sessionKeywords = []string{"ForkAfterAuthentication", "RequestTTY", "SessionType", "StdinNull"}

// option takes over -o, whose argument is a line of ssh_config(5): "Key=value", "Key value".
func (c *converter) option(line string) error {
	line = strings.TrimSpace(line)
	key, value := line, ""
	if i := strings.IndexAny(line, "= \t"); i >= 0 {
		key = line[:i]
		value = strings.TrimLeft(line[i:], " \t")
		value = strings.TrimSpace(strings.TrimPrefix(value, "="))
	}
	if value == "" {
		return errors.New("is not KEYWORD=VALUE")
	}
	if spelled, _, _ := SSHStanding(key); isForward(spelled) {
		return c.forward(ForwardKind(spelled), value)
	}
	if _, gone := sameButCase(key, sshGone); gone {
		return nil // ssh skips it too
	}
	if why := checkKeyword(key); why != "" {
		return fmt.Errorf("%s %s", key, why)
	}
	key, _ = SSHKeyword(key)
	if slices.Contains(sessionKeywords, key) {
		c.noCommand = c.noCommand || key == "SessionType" && strings.EqualFold(value, "none")
		return nil
	}
	return c.set(key, value)
}

// set takes over a keyword. If it has one value, the first counts, as with ssh.
func (c *converter) set(key, value string) error {
	if !slices.Contains(sshLists, key) && slices.ContainsFunc(c.ssh, func(a assignment) bool { return a.key == key }) {
		return nil
	}
	c.ssh = append(c.ssh, assignment{key, value})
	return nil
}

func (c *converter) forward(kind ForwardKind, value string) error {
	c.wants = true
	f, err := ParseForward(kind, value)
	if err != nil {
		return err
	}
	if strings.Contains(f.Listen.Unix+f.Target.Unix, "%") { // ssh takes it for a token
		for _, path := range []*string{&f.Listen.Unix, &f.Target.Unix} {
			if *path, err = withoutTokens(*path); err != nil {
				return err
			}
		}
		value = f.Spec()
	}
	c.forwards = append(c.forwards, assignment{string(kind), value})
	return nil
}

// withoutTokens is the path of a socket with "%%" replaced by a percent sign. A tunnel file has no
// other tokens of ssh_config(5).
func withoutTokens(path string) (string, error) {
	before, after, found := strings.Cut(path, "%")
	if !found {
		return path, nil
	}
	if !strings.HasPrefix(after, "%") {
		return "", fmt.Errorf("%%%.1s in the path of a socket: write out what it stands for", after)
	}
	after, err := withoutTokens(after[1:])
	return before + "%" + after, err
}

// forForwards handles -N and -f: a tunnel runs no command and is in the background anyway.
func (c *converter) forForwards(string) error {
	c.noCommand = true
	return nil
}

// text is the tunnel file. It is parsed as a check, so that no argument can add other lines to it.
func (c *converter) text() (string, error) {
	if c.destination == "" {
		return "", errors.New("there is no destination among the arguments: user@host is missing")
	}
	if err := c.checkUser(); err != nil {
		return "", err
	}
	text := "[" + SectionTunnel + "]\n"
	var err error
	write := func(section string, a assignment) {
		if err == nil {
			text, err = Add(text, section, a.key, a.value)
		}
	}
	write(SectionTunnel, assignment{"Destination", c.destination})
	for _, a := range c.forwards {
		write(SectionTunnel, a)
	}
	for _, a := range c.ssh {
		write(SectionSSH, a)
	}
	if err != nil {
		return "", err
	}
	if _, problems := Parse("", "", text); len(problems) > 0 {
		for i := range problems {
			problems[i].Line = 0 // of a file that the person has never seen
		}
		return "", problems
	}
	return text, nil
}

// checkUser refuses two different users: ssh takes the first on the command line, but in a file the
// destination's would count.
func (c *converter) checkUser() error {
	inDestination, _, _ := DestinationParts(c.destination)
	for _, a := range c.ssh {
		if a.key == "User" && inDestination != "" && a.value != inDestination {
			return fmt.Errorf("-l %s: the destination %s names another user", a.value, c.destination)
		}
	}
	return nil
}

// remoteCommand is the error for words after the destination.
func remoteCommand(destination string, command []string) error {
	if base := filepath.Base(destination); base == "ssh" || base == "autossh" {
		return fmt.Errorf("%s: leave out the word %s: only what follows it is wanted", command[0], base)
	}
	return fmt.Errorf("%s: a command behind the destination is not part of a tunnel; if it shall run on the server, write RemoteCommand=%s into the tunnel's [SSH]",
		command[0], strings.Join(command, " "))
}
