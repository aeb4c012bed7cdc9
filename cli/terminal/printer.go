// Package terminal prints what a person or a script is told. Nothing else in the command line writes
// to standard output or standard error.
package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/internal/text"
)

// The rules:
//
//   - What was asked for goes to stdout. What happens meanwhile, and what went wrong, goes
//     to stderr, so that stdout can be piped.
//   - An error is one sentence, "holdfast: …", and what to do about it a line "hint: …".
//   - Rewritten lines only on a terminal. Colour too, unless --color says otherwise; not
//     with NO_COLOR or TERM=dumb. Nothing is told by colour alone.
//   - Everything is laid out for the terminal's width, see package layout; what goes
//     elsewhere is neither wrapped nor cut. Commands to be pasted are never wrapped.
//   - Text that comes from files and servers is stripped of control characters.
//   - JSON is for scripts: its shapes are in package jsonout and stay as they are.

// Printer prints.
type Printer struct {
	out      *output
	err      *os.File
	Look     layout.Look              // of out
	Live     bool                     // lines on err can be written anew
	Terminal bool                     // out is one
	Screen   bool                     // likewise, and it can be written over
	Width    int                      // of out; 0: no end
	Ours     func(text string) string // see session.ours

	mu        sync.Mutex // a prompt comes when it comes
	liveLines int        // so many lines stand on err that are written anew
	asking    bool       // somebody is typing an answer
	hidden    bool       // what is typed is not shown

	watchSignals sync.Once
}

// output is standard output. It remembers the first write that failed, so that nobody
// takes half a list for the whole.
type output struct {
	file io.Writer
	err  error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.file.Write(text)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// Unwritten is why something that was asked for could not be printed.
func (p *Printer) Unwritten() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.err
}

func New(out, err *os.File, getenv func(string) string) *Printer {
	dumb := getenv("TERM") == "dumb" || getenv("TERM") == ""
	p := &Printer{out: &output{file: out}, err: err}
	p.Terminal = term.IsTerminal(int(out.Fd()))
	p.Screen = p.Terminal && !dumb
	p.Look = layout.Look{Color: getenv("NO_COLOR") == "" && p.Screen, Links: p.Screen && layout.HasLinks(getenv)}
	p.Live = !dumb && term.IsTerminal(int(err.Fd()))
	p.Width = Width(out)
	return p
}

// SetColor is --color=WHEN.
func (p *Printer) SetColor(when string) error {
	switch when {
	case "auto":
	case "always":
		p.Look.Color = true
	case "never":
		p.Look.Color = false
	default:
		return errors.New("it is auto, always or never")
	}
	return nil
}

// Width is 0 where there is no terminal.
func Width(f *os.File) int {
	if !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// Paint is a text in a colour, where there are colours.
func (p *Printer) Paint(c layout.Color, text string) string { return p.Look.Paint(c, text) }

// Line prints a sentence that was asked for.
func (p *Printer) Line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for _, line := range layout.Wrap(fmt.Sprintf(format, args...), p.Width) {
		fmt.Fprintln(p.out, line)
	}
}

// Command prints a line that can be pasted.
func (p *Printer) Command(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.out, text)
}

// Text prints text that was asked for, as it is.
func (p *Printer) Text(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprint(p.out, text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		fmt.Fprintln(p.out)
	}
}

// Note prints a sentence about what happens.
func (p *Printer) Note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.say("", fmt.Sprintf(format, args...))
}

// say writes to err; the lock is held.
func (p *Printer) say(before, content string) {
	for _, line := range layout.Hang(before, content, Width(p.err)) {
		fmt.Fprintln(p.err, line)
	}
}

// Warning prints another program's words about what went wrong.
func (p *Printer) Warning(content string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for line := range strings.Lines(strings.TrimSpace(content)) {
		fmt.Fprintln(p.err, text.Printable(strings.TrimRight(line, "\r\n")))
	}
}

// Progress shows what is going on now: on a terminal in place of what was shown so before,
// elsewhere as lines of their own.
func (p *Printer) Progress(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.Live {
		for _, line := range lines {
			fmt.Fprintln(p.err, text.Printable(line))
		}
		return
	}
	if p.asking { // it would write over the prompt
		return
	}
	var all []string
	for _, line := range lines {
		all = append(all, layout.Hang("", text.Printable(line), Width(p.err)-1)...)
	}
	p.clear()
	p.setEcho(false)
	fmt.Fprint(p.err, strings.Join(all, "\n"))
	p.liveLines = len(all)
}

// EndProgress takes the lines of progress away for good, and gives the terminal back as it was.
func (p *Printer) EndProgress() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.setEcho(true)
}

// clear takes the lines of progress away; the lock is held.
func (p *Printer) clear() {
	if p.liveLines > 1 {
		fmt.Fprintf(p.err, "\x1b[%dA", p.liveLines-1)
	}
	if p.liveLines > 0 {
		fmt.Fprint(p.err, "\r\x1b[J")
	}
	p.liveLines = 0
}

// Prompt asks for a line; the answer is typed behind it. Until answered, no progress is shown.
func (p *Printer) Prompt(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.setEcho(true)
	fmt.Fprint(p.err, text)
	p.asking = true
}

// Answered ends a prompt: with newline set the person's own was not seen.
func (p *Printer) Answered(newline bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking = false
	if newline {
		fmt.Fprintln(p.err)
	}
}

// Failure prints what went wrong and what to do about it.
func (p *Printer) Failure(message, hint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for line := range strings.Lines(message) {
		p.say("holdfast: ", text.Printable(strings.TrimRight(line, "\n")))
	}
	p.sayHint(hint)
}

// Hint prints what to do, if anything.
func (p *Printer) Hint(hint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.sayHint(hint)
}

func (p *Printer) sayHint(hint string) {
	if hint != "" {
		if p.Ours != nil {
			hint = p.Ours(hint)
		}
		p.say("hint: ", text.Printable(hint))
	}
}

// JSON prints a value as one JSON text: indented, or with lines set one to a line.
func (p *Printer) JSON(v any, lines bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	if !lines {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// Home makes the screen empty, for what is shown again and again.
func (p *Printer) Home() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Width > 0 && p.Live {
		fmt.Fprint(p.out, "\x1b[H\x1b[2J")
	}
}

// Rows prints a table, as wide as the terminal.
func (p *Printer) Rows(t *layout.Table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.writeRows(t)
}

func (p *Printer) writeRows(t *layout.Table) { p.writeLines(t.Lines(p.Width)) }

// Lines prints what is laid out already.
func (p *Printer) Lines(lines []layout.Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.writeLines(lines)
}

func (p *Printer) writeLines(lines []layout.Line) {
	for _, line := range lines {
		fmt.Fprintln(p.out, p.Look.Render(line))
	}
}

// Blocks prints what a room has to say, one block below the other.
func (p *Printer) Blocks(blocks []layout.Block) {
	for _, b := range blocks {
		switch {
		case b.Table != nil:
			p.Rows(b.Table)
		case b.Hint != "":
			p.Hint(b.Hint)
		case b.Command != "":
			p.Command(b.Command)
		default:
			for _, line := range layout.Wrap(b.Text, p.Width) {
				p.Command(p.Paint(b.Color, line))
			}
		}
	}
}
