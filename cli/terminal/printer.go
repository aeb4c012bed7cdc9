// Package terminal prints for people and scripts. Verbs write to standard output and standard error
// through it. The exceptions draw or ask on the terminal themselves: add's questions, top's window, demo.
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

// Printer prints. Several goroutines may print at once.
type Printer struct {
	out      *output
	err      *os.File
	Look     layout.Look              // what stdout can show
	Live     bool                     // lines on err can be rewritten
	Terminal bool                     // out is a terminal
	Screen   bool                     // out is a terminal on which the cursor can be moved
	Width    int                      // of out; 0 means no limit
	Ours     func(text string) string // adds --system to commands, see session.Session.Ours

	mu        sync.Mutex // prompts come from other goroutines
	liveLines int        // how many lines of progress are on err
	asking    bool       // a prompt waits for its answer
	hidden    bool       // echo is off

	watchSignals sync.Once
}

// output is standard output. It remembers the first failed write, so that a partial list is not taken
// for the whole.
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

// Unwritten is the error of the first failed write to stdout, or nil.
func (p *Printer) Unwritten() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.err
}

// New returns a Printer for stdout and stderr.
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

// SetColor handles --color=WHEN.
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

// Width is the width of a terminal in columns. It is 0 if f is not a terminal.
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

// Paint is text in a colour, or plain if there are no colours.
func (p *Printer) Paint(c layout.Color, text string) string { return p.Look.Paint(c, text) }

// begin removes the lines of progress. Until end is called, no other goroutine prints.
func (p *Printer) begin() (end func()) {
	p.mu.Lock()
	p.clear()
	return p.mu.Unlock
}

// Line prints a sentence to stdout, wrapped.
func (p *Printer) Line(format string, args ...any) {
	defer p.begin()()
	for _, line := range layout.Wrap(fmt.Sprintf(format, args...), p.Width) {
		fmt.Fprintln(p.out, line)
	}
}

// Command prints a line to stdout that can be pasted: it is never wrapped.
func (p *Printer) Command(text string) {
	defer p.begin()()
	fmt.Fprintln(p.out, text)
}

// Text prints text to stdout unchanged, with a newline at the end.
func (p *Printer) Text(text string) {
	defer p.begin()()
	fmt.Fprint(p.out, text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		fmt.Fprintln(p.out)
	}
}

// Note prints a sentence about what happens to stderr.
func (p *Printer) Note(format string, args ...any) {
	defer p.begin()()
	p.say("", fmt.Sprintf(format, args...))
}

// say writes to stderr. p.mu is locked.
func (p *Printer) say(before, content string) {
	for _, line := range layout.Hang(before, content, Width(p.err)) {
		fmt.Fprintln(p.err, line)
	}
}

// Warning prints another program's error messages to stderr.
func (p *Printer) Warning(content string) {
	defer p.begin()()
	for line := range strings.Lines(strings.TrimSpace(content)) {
		fmt.Fprintln(p.err, text.Printable(strings.TrimRight(line, "\r\n")))
	}
}

// Progress shows what is happening now. On a terminal it replaces the lines of the last call; elsewhere
// it prints new lines.
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

// EndProgress removes the lines of progress and restores the terminal.
func (p *Printer) EndProgress() {
	defer p.begin()()
	p.setEcho(true)
}

// clear removes the lines of progress. p.mu is locked.
func (p *Printer) clear() {
	if p.liveLines > 1 {
		fmt.Fprintf(p.err, "\x1b[%dA", p.liveLines-1)
	}
	if p.liveLines > 0 {
		fmt.Fprint(p.err, "\r\x1b[J")
	}
	p.liveLines = 0
}

// Prompt prints a question; the answer is typed after it. Until Answered no progress is shown.
func (p *Printer) Prompt(text string) {
	defer p.begin()()
	p.setEcho(true)
	fmt.Fprint(p.err, text)
	p.asking = true
}

// Answered ends a prompt. newline says that the person's own newline was not echoed.
func (p *Printer) Answered(newline bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking = false
	if newline {
		fmt.Fprintln(p.err)
	}
}

// Failure prints an error and a hint to stderr.
func (p *Printer) Failure(message, hint string) {
	defer p.begin()()
	for line := range strings.Lines(message) {
		p.say("holdfast: ", text.Printable(strings.TrimRight(line, "\n")))
	}
	p.sayHint(hint)
}

// Hint prints a hint to stderr, if it is not empty.
func (p *Printer) Hint(hint string) {
	defer p.begin()()
	p.sayHint(hint)
}

func (p *Printer) sayHint(hint string) {
	if hint == "" {
		return
	}
	if p.Ours != nil {
		hint = p.Ours(hint)
	}
	p.say("hint: ", text.Printable(hint))
}

// JSON prints a value as JSON: indented, or with lines on a single line.
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

// Home clears the screen for output that is repeated.
func (p *Printer) Home() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Width > 0 && p.Live {
		fmt.Fprint(p.out, "\x1b[H\x1b[2J")
	}
}

// Rows prints a table at the terminal's width.
func (p *Printer) Rows(t *layout.Table) { p.Lines(t.Lines(p.Width)) }

// Lines prints lines that are laid out already.
func (p *Printer) Lines(lines []layout.Line) {
	defer p.begin()()
	for _, line := range lines {
		fmt.Fprintln(p.out, p.Look.Render(line))
	}
}

// Blocks prints blocks one below the other. Hints go to stderr.
func (p *Printer) Blocks(blocks []layout.Block) {
	for _, b := range blocks {
		if b.Hint != "" {
			p.Hint(b.Hint)
		} else {
			p.Lines(b.Lines(p.Width))
		}
	}
}
