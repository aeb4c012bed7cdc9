package add

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/terminal"
	"github.com/holdfast/holdfast/internal/text"
	"golang.org/x/term"
)

// questions asks a person at the terminal. The terminal is in raw mode only while a question is open.
type questions struct {
	out  *terminal.Printer
	line *term.Terminal // shared by all questions, since it reads ahead
}

func (q *questions) say(format string, args ...any) {
	q.out.Note("%s", text.Printable(fmt.Sprintf(format, args...)))
}

// ask asks for a line. Tab completes it from words. An empty line returns offered.
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

// completed extends begun by what all words that begin with it have in common. Anything before an @ is
// left alone.
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

// choose asks for one of several by number. The first is the default. It returns an index from 0.
func (q *questions) choose(question string, choices ...string) (int, error) {
	q.out.Note("%s", question)
	for i, c := range choices {
		for _, line := range layout.Hang(fmt.Sprintf("  %d  ", i+1), c, terminal.Width(os.Stderr)) {
			q.out.Note("%s", line)
		}
	}
	for {
		answer, err := q.ask("Number", "1", nil)
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

func (q *questions) port(question, offered string) (string, error) {
	return q.until(question, offered, nil, "A port is a number from 1 to 65535.", func(answer string) (string, bool) { return answer, isPort(answer) })
}

// listen asks where to listen: a port, or the path of a unix socket.
func (q *questions) listen(question, offered string) (string, error) {
	return q.until(question, offered, nil, "Give a port from 1 to 65535, or the whole path of a unix socket, as in /run/user/1000/db.sock.",
		func(answer string) (string, bool) { return answer, isPort(answer) || isPath(answer) })
}

// target asks where a forward leads: a port, host:port or a path. A port alone means localhost.
func (q *questions) target(question string, words []string) (string, error) {
	return q.until(question, "", words, "Give a port, as in 5432, or host:port, as in db.internal:5432, or the whole path of a unix socket.", func(answer string) (string, bool) {
		if isPort(answer) {
			return "localhost:" + answer, true
		}
		host, port, err := net.SplitHostPort(answer)
		return answer, isPath(answer) || err == nil && host != "" && isPort(port)
	})
}

// until repeats a question until read accepts the answer. After a wrong answer it prints well, which
// says what is accepted.
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
