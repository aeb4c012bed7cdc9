package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// errLeft says that a person ended the questions. Nothing was written by then.
var errLeft = advice.Error{Err: errors.New("nothing was added")}

// addByAsking makes a tunnel from what a person answers. Nothing is kept before the last yes.
func addByAsking(s *session.Session) error {
	q := &questions{out: s.Out}
	plan, err := askPlan(s, q)
	if err != nil {
		return err
	}
	content, err := plan.file()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "\nThis is %s%s:\n\n", plan.name, tunnelfile.Suffix)
	for line := range strings.Lines(content) {
		fmt.Fprint(os.Stderr, "    "+line)
	}
	fmt.Fprintf(os.Stderr, "\nIt stands for: ssh -N %s\n\n", strings.Join(plan.shellWords(), " "))
	yes, err := q.yes("Make it, and try it?", true)
	if err != nil {
		return err
	}
	if !yes {
		return errLeft
	}
	if err := addFrom(s, plan.name, plan.start, "", plan.arguments); err != nil || plan.start == tunnelfile.StartOnDemand {
		return err
	}
	v, err := verbs().Find("up")
	if err != nil {
		return err
	}
	return runVerb(s, v, []string{plan.name})
}

// plan is the tunnel that was asked for.
type plan struct {
	name      string
	start     tunnelfile.StartMode
	arguments []string // what would follow ssh -N
}

func (p plan) file() (string, error) {
	content, err := tunnelfile.FromSSHArguments(p.arguments)
	if err != nil || p.start == tunnelfile.StartAuto {
		return content, err
	}
	return tunnelfile.Set(content, tunnelfile.SectionTunnel, "Start", []string{string(p.start)})
}

func (p plan) shellWords() (words []string) {
	for _, a := range p.arguments {
		words = append(words, tunnelfile.ShellWord(a))
	}
	return words
}

// askPlan asks where to, what, which port, when, and for a name.
func askPlan(s *session.Session, q *questions) (p plan, err error) {
	q.say("A tunnel, question by question. Enter takes what stands in brackets; Ctrl-C leaves nothing behind.")
	var destination string
	for destination == "" || strings.HasPrefix(destination, "-") {
		if destination, err = q.ask("Where to? user@host, or a Host of ssh_config (Tab completes)", "", words(verb.Hosts())); err != nil {
			return p, err
		}
	}
	what, err := q.choose("What for?", "a service on the server, or behind it, to be used here", "a service of this machine, to be used on the server", "a proxy (SOCKS): programs here reach what the server reaches")
	if err != nil {
		return p, err
	}
	forward, err := askForward(s, q, what, destination)
	if err != nil {
		return p, err
	}
	starts := []tunnelfile.StartMode{tunnelfile.StartAuto, tunnelfile.StartManual, tunnelfile.StartOnDemand}
	whens := []string{"always, from now on", "when I say holdfast up", "when somebody here connects to its port"}
	if what == 1 { // nobody here connects
		starts, whens = starts[:2], whens[:2]
	}
	when, err := q.choose("When is it to be up?", whens...)
	if err != nil {
		return p, err
	}
	name := freeName(s, destination)
	for {
		if p.name, err = q.ask("Its name?", name, nil); err != nil {
			return p, err
		}
		if tunnelfile.ValidName(p.name) {
			break
		}
		q.say("A name is letters, digits, dots, dashes and underscores, and begins with a letter or a digit.")
	}
	p.start, p.arguments = starts[when], append(forward, destination)
	return p, nil
}

// askForward asks which ports, or unix sockets.
func askForward(s *session.Session, q *questions, what int, destination string) ([]string, error) {
	switch what {
	case 1:
		here, err := q.target("Which port is it on here? Or a socket's path", nil)
		if err != nil {
			return nil, err
		}
		there, err := q.listen("Which port is it to have on the server?", portOf(here))
		return []string{"-R", there + ":" + here}, err
	case 2:
		here, err := q.port("Which port is the proxy to have here?", "1080")
		return []string{"-D", here}, err
	}
	var found []string
	if look, err := q.yes("Log in once, to see what listens there?", false); err != nil {
		return nil, err
	} else if look {
		found = sayListening(s, q, destination)
	}
	there, err := q.target("Which port there? Or host:port behind the server, or a socket's path", found)
	if err != nil {
		return nil, err
	}
	here, err := q.listen("Which port is it to have here?", offerHere(destination, there))
	return []string{"-L", here + ":" + there}, err
}

// portOf is the port to offer for the other end; none below 1024, which takes root.
func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	if isPath(address) {
		_, port, _ = strings.Cut(filepath.Base(address), ".s.PGSQL.")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1024 {
		return ""
	}
	return port
}

// offerHere is what to offer for the end here: a port, or for a unix socket a path that no service of this
// machine has.
func offerHere(destination, there string) string {
	port, dir := portOf(there), os.Getenv("XDG_RUNTIME_DIR")
	if port != "" || !isPath(there) || dir == "" {
		return port
	}
	return filepath.Join(dir, hostOf(destination)+"-"+filepath.Base(there))
}

// hostOf is a destination's host as a name: the first part, of an address all of it.
func hostOf(destination string) string {
	_, host, _ := tunnelfile.DestinationParts(destination)
	if net.ParseIP(host) == nil {
		host, _, _ = strings.Cut(host, ".")
	}
	if !tunnelfile.ValidName(host) {
		return "tunnel"
	}
	return host
}

// freeName is a name from the destination that no tunnel has.
func freeName(s *session.Session, destination string) string {
	host := hostOf(destination)
	name := host
	for n := 2; slices.Contains(words(verb.TunnelNames(s, nil)), name); n++ {
		name = fmt.Sprintf("%s-%d", host, n)
	}
	return name
}

func words(candidates []verb.Word) (words []string) {
	for _, c := range candidates {
		words = append(words, c.Word)
	}
	return words
}

// listeningCommand says what listens on a server, by whichever way it has, and which of its unix sockets whoever
// logs in may write to.
const listeningCommand = `sh -c 'ss -Htln 2>/dev/null || netstat -tln 2>/dev/null || cat /proc/net/tcp /proc/net/tcp6
while read -r _ _ _ flags type _ _ path; do
	case $flags$type$path in 000100000001/*) [ -w "$path" ] && echo "$path";; esac
done 2>/dev/null </proc/net/unix; true'`

// sayListening logs in with ssh(1), which asks what it has to, and tells what listens there. Where
// that is not allowed it is no matter.
func sayListening(s *session.Session, q *questions, destination string) []string {
	ctx, cancel := context.WithCancel(s.Ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", "-T", "-o", "ClearAllForwardings=yes", "-o", "ConnectTimeout=15", "--", destination, listeningCommand)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	out, err := cmd.Output()
	found := listening(string(out))
	switch {
	case len(found) > 0:
		q.say("There listens: %s", strings.Join(found, ", "))
	case err != nil:
		q.say("The server did not say: %v", err)
	default:
		q.say("Nothing listens there that it tells of.")
	}
	return found
}

// listening are the ports in what ss, netstat or /proc/net/tcp print, and behind them the paths of unix sockets.
func listening(out string) []string {
	var ports []int
	var paths []string
	for line := range strings.Lines(out) {
		if path := strings.TrimSpace(line); strings.HasPrefix(path, "/") {
			if !slices.Contains(paths, path) && !ofMachine.MatchString(path) {
				paths = append(paths, path)
			}
			continue
		}
		if port := listeningPort(strings.Fields(line)); port > 0 && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	slices.Sort(paths)
	var found []string
	for _, port := range ports {
		found = append(found, strconv.Itoa(port))
	}
	return append(found, paths...)
}

// ofMachine are unix sockets through which the parts of a machine talk to each other: nobody makes a tunnel to them.
var ofMachine = regexp.MustCompile(`/systemd/|/dbus|/bus$|/ssh-|/s\.gpg-agent|/S\.|/\.X11-unix/|/\.ICE-unix/`)

// listeningPort is the port of a line of ss, netstat or /proc/net/tcp; 0 where it is not of one that listens.
func listeningPort(fields []string) int {
	if len(fields) < 4 {
		return 0
	}
	address, base := fields[3], 10
	if address == "0A" && strings.HasSuffix(fields[0], ":") { // /proc/net/tcp: LISTEN
		address, base = fields[1], 16
	} else if !slices.Contains(fields, "LISTEN") {
		return 0
	}
	port, err := strconv.ParseUint(address[strings.LastIndex(address, ":")+1:], base, 16)
	if err != nil {
		return 0
	}
	return int(port)
}

// questions asks a person at the terminal. Between two questions the terminal is as it was.
type questions struct {
	out  *terminal.Printer
	line *term.Terminal // one for all, since it reads ahead
}

func (q *questions) say(format string, args ...any) {
	q.out.Note("%s", text.Printable(fmt.Sprintf(format, args...)))
}

// ask asks for a line. Tab completes it from words.
func (q *questions) ask(question, offered string, words []string) (string, error) {
	if offered != "" {
		question += " [" + offered + "]"
	}
	fd := int(os.Stdin.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, before) }()
	if q.line == nil {
		q.line = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{os.Stdin, os.Stderr}, "")
	}
	t := q.line
	t.SetPrompt(question + ": ")
	if width := terminal.Width(os.Stderr); width > 0 {
		_ = t.SetSize(width, 24)
	}
	t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		whole := completed(line[:pos], words) + line[pos:]
		return whole, len(whole) - len(line[pos:]), true
	}
	answer, err := t.ReadLine()
	if err != nil { // Ctrl-C, Ctrl-D, or the terminal is gone
		fmt.Fprint(os.Stderr, "\r\n")
		return "", errLeft
	}
	if answer = strings.TrimSpace(answer); answer == "" {
		answer = offered
	}
	return answer, nil
}

// completed is the beginning of a word, with as much more as all words have that begin so. What
// stands before an @ is the person's.
func completed(begun string, words []string) string {
	at := strings.LastIndex(begun, "@") + 1
	common := ""
	for _, word := range words {
		if !strings.HasPrefix(word, begun[at:]) {
			continue
		}
		if common == "" {
			common = word
		}
		for !strings.HasPrefix(word, common) {
			common = common[:len(common)-1]
		}
	}
	if common == "" {
		return begun
	}
	return begun[:at] + common
}

// choose asks for one of several, by number; the first is offered.
func (q *questions) choose(question string, choices ...string) (int, error) {
	q.out.Note("%s", question)
	for i, c := range choices {
		for _, line := range layout.Hang(fmt.Sprintf("  %d  ", i+1), c, terminal.Width(os.Stderr)) {
			q.out.Note("%s", line)
		}
	}
	for {
		answer, err := q.ask("Its number", "1", nil)
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(choices) {
			return n - 1, nil
		}
	}
}

func (q *questions) yes(question string, offered bool) (bool, error) {
	letters := map[bool]string{true: "yes", false: "no"}
	for {
		answer, err := q.ask(question, letters[offered], []string{"yes", "no"})
		if err != nil {
			return false, err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
	}
}

// port asks for a port.
func (q *questions) port(question, offered string) (string, error) {
	return q.until(question, offered, nil, "A port is a number from 1 to 65535.", func(answer string) (string, bool) { return answer, isPort(answer) })
}

// listen asks where to listen: a port, or the path of a unix socket.
func (q *questions) listen(question, offered string) (string, error) {
	return q.until(question, offered, nil, "It is a port from 1 to 65535, or the whole path of a unix socket, as in /run/user/1000/db.sock.",
		func(answer string) (string, bool) { return answer, isPort(answer) || isPath(answer) })
}

// target asks where a forward leads: a port, host:port or a path; a port alone is of localhost.
func (q *questions) target(question string, words []string) (string, error) {
	return q.until(question, "", words, "It is a port, as in 5432, or host:port, as in db.internal:5432, or the whole path of a unix socket.", func(answer string) (string, bool) {
		if isPort(answer) {
			return "localhost:" + answer, true
		}
		host, port, err := net.SplitHostPort(answer)
		return answer, isPath(answer) || err == nil && host != "" && isPort(port)
	})
}

// until asks until an answer is well, and says what would be.
func (q *questions) until(question, offered string, words []string, well string, read func(string) (string, bool)) (string, error) {
	for {
		answer, err := q.ask(question, offered, words)
		if err != nil {
			return "", err
		}
		if value, ok := read(answer); ok {
			return value, nil
		}
		q.say("%s", well)
	}
}

func isPort(word string) bool {
	n, err := strconv.ParseUint(word, 10, 16)
	return err == nil && n > 0
}

func isPath(word string) bool { return strings.HasPrefix(word, "/") && !strings.HasSuffix(word, "/") }
