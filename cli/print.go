package cli

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
	"github.com/holdfast/holdfast/tunnelfile"
)

// This is the one file that prints. Its rules:
//
//   - What was asked for goes to stdout. What happens meanwhile, and what went wrong, goes
//     to stderr, so that stdout can be piped.
//   - An error is one sentence, "holdfast: …", and what to do about it a line "hint: …".
//   - Rewritten lines only on a terminal. Colour too, unless --color says otherwise; not
//     with NO_COLOR or TERM=dumb. Nothing is told by colour alone.
//   - Everything is laid out for the terminal's width, see package layout; what goes
//     elsewhere is neither wrapped nor cut. Commands to be pasted are never wrapped.
//   - Text that comes from files and servers is stripped of control characters.
//   - JSON is for scripts: its shapes are in json.go and stay as they are.

// printer prints.
type printer struct {
	out      *output
	err      *os.File
	look     layout.Look              // of out
	live     bool                     // lines on err can be written anew
	terminal bool                     // out is one
	screen   bool                     // likewise, and it can be written over
	width    int                      // of out; 0: no end
	ours     func(text string) string // see session.ours

	mu        sync.Mutex // a prompt comes when it comes
	liveLines int        // so many lines stand on err that are written anew
	asking    bool       // somebody is typing an answer
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

// unwritten is why something that was asked for could not be printed.
func (p *printer) unwritten() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.err
}

func newPrinter(out, err *os.File, getenv func(string) string) *printer {
	dumb := getenv("TERM") == "dumb" || getenv("TERM") == ""
	p := &printer{out: &output{file: out}, err: err}
	p.terminal = term.IsTerminal(int(out.Fd()))
	p.screen = p.terminal && !dumb
	p.look = layout.Look{Color: getenv("NO_COLOR") == "" && p.screen, Links: p.screen && layout.HasLinks(getenv)}
	p.live = !dumb && term.IsTerminal(int(err.Fd()))
	p.width = terminalWidth(out)
	return p
}

// setColor is --color=WHEN.
func (p *printer) setColor(when string) error {
	switch when {
	case "auto":
	case "always":
		p.look.Color = true
	case "never":
		p.look.Color = false
	default:
		return errors.New("it is auto, always or never")
	}
	return nil
}

// terminalWidth is 0 where there is no terminal.
func terminalWidth(f *os.File) int {
	if !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 80
	}
	return width
}

// paint is a text in a colour, where there are colours.
func (p *printer) paint(c layout.Color, text string) string { return p.look.Paint(c, text) }

// line prints a sentence that was asked for.
func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for _, line := range layout.Wrap(fmt.Sprintf(format, args...), p.width) {
		fmt.Fprintln(p.out, line)
	}
}

// command prints a line that can be pasted.
func (p *printer) command(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.out, text)
}

// text prints text that was asked for, as it is.
func (p *printer) text(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprint(p.out, text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		fmt.Fprintln(p.out)
	}
}

// note prints a sentence about what happens.
func (p *printer) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.say("", fmt.Sprintf(format, args...))
}

// say writes to err; the lock is held.
func (p *printer) say(before, content string) {
	for _, line := range layout.Hang(before, content, terminalWidth(p.err)) {
		fmt.Fprintln(p.err, line)
	}
}

// warning prints another program's words about what went wrong.
func (p *printer) warning(content string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for line := range strings.Lines(strings.TrimSpace(content)) {
		fmt.Fprintln(p.err, text.Printable(strings.TrimRight(line, "\r\n")))
	}
}

// progress shows what is going on now: on a terminal in place of what was shown so before,
// elsewhere as lines of their own.
func (p *printer) progress(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live {
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
		all = append(all, layout.Hang("", text.Printable(line), terminalWidth(p.err)-1)...)
	}
	p.clear()
	fmt.Fprint(p.err, strings.Join(all, "\n"))
	p.liveLines = len(all)
}

// settle takes the lines of progress away for good.
func (p *printer) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// clear takes the lines of progress away; the lock is held.
func (p *printer) clear() {
	if p.liveLines > 1 {
		fmt.Fprintf(p.err, "\x1b[%dA", p.liveLines-1)
	}
	if p.liveLines > 0 {
		fmt.Fprint(p.err, "\r\x1b[J")
	}
	p.liveLines = 0
}

// prompt asks for a line; the answer is typed behind it. Until answered, no progress is shown.
func (p *printer) prompt(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprint(p.err, text)
	p.asking = true
}

// answered ends a prompt: with newline set the person's own was not seen.
func (p *printer) answered(newline bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking = false
	if newline {
		fmt.Fprintln(p.err)
	}
}

// failure prints what went wrong and what to do about it.
func (p *printer) failure(message, hint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	for line := range strings.Lines(message) {
		p.say("holdfast: ", text.Printable(strings.TrimRight(line, "\n")))
	}
	p.sayHint(hint)
}

// hint prints what to do, if anything.
func (p *printer) hint(hint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.sayHint(hint)
}

func (p *printer) sayHint(hint string) {
	if hint != "" {
		if p.ours != nil {
			hint = p.ours(hint)
		}
		p.say("hint: ", text.Printable(hint))
	}
}

// json prints a value as one JSON text: indented, or with lines set one to a line.
func (p *printer) json(v any, lines bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	if !lines {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}

// home makes the screen empty, for what is shown again and again.
func (p *printer) home() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.width > 0 && p.live {
		fmt.Fprint(p.out, "\x1b[H\x1b[2J")
	}
}

// rows prints a table, as wide as the terminal.
func (p *printer) rows(t *layout.Table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.writeRows(t)
}

func (p *printer) writeRows(t *layout.Table) { p.writeLines(t.Lines(p.width)) }

// lines prints what is laid out already.
func (p *printer) lines(lines []layout.Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.writeLines(lines)
}

func (p *printer) writeLines(lines []layout.Line) {
	for _, line := range lines {
		fmt.Fprintln(p.out, p.look.Render(line))
	}
}

// blocks prints what a room has to say, one block below the other.
func (p *printer) blocks(blocks []layout.Block) {
	for _, b := range blocks {
		switch {
		case b.Table != nil:
			p.rows(b.Table)
		case b.Hint != "":
			p.hint(b.Hint)
		case b.Command != "":
			p.command(b.Command)
		default:
			for _, line := range layout.Wrap(b.Text, p.width) {
				p.command(p.paint(b.Color, line))
			}
		}
	}
}

// checkup prints what was found of one thing, below its name: a word, a sentence, and the
// mend in a line of its own that can be pasted.
func (p *printer) checkup(title string, findings []tunnelfile.Finding) {
	if len(findings) == 0 {
		return
	}
	p.line("%s", p.paint(layout.Bold, title))
	for _, f := range findings {
		word, color := "ok", layout.Green
		switch f.Severity {
		case tunnelfile.Hint:
			word, color = "hint", layout.Yellow
		case tunnelfile.Trouble:
			word, color = "problem", layout.Red
		}
		t := &layout.Table{Columns: []layout.Column{{Min: len("  problem")}, {Wrap: true, Min: 20, GiveWay: 1, Below: true}}}
		t.Add(layout.Painted("  "+word, color), layout.Plain(f.Subject+": "+text.Printable(f.Message)))
		p.rows(t)
		if f.Mend != "" {
			p.command("           mend: " + text.Printable(f.Mend))
		}
	}
	p.line("")
}
