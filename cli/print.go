package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// This is the one file that prints. Its rules:
//
//   - What was asked for goes to stdout. What happens meanwhile, and what went wrong, goes
//     to stderr, so that stdout can be piped.
//   - An error is one sentence, "holdfast: …", and what to do about it a line "hint: …".
//   - Colour and rewritten lines only on a terminal; colour never with NO_COLOR or
//     TERM=dumb. Nothing is told by colour alone.
//   - A table is cut to the terminal's width, and never when it goes elsewhere.
//   - Text that comes from files and servers is stripped of control characters.
//   - JSON is for scripts: its shapes are in json.go and stay as they are.

// printer prints.
type printer struct {
	out      *output
	err      io.Writer
	color    bool // on out
	live     bool // a line on err can be written anew
	terminal bool // out is one
	screen   bool // likewise, and it can be written over
	width    int  // of out; 0: no end
	height   int  // likewise
	errWidth int
	stdout   *os.File
	ours     func(text string) string // see session.ours

	mu       sync.Mutex // a prompt comes when it comes
	liveLine bool       // there is a line now that can be written anew
	asking   bool       // somebody is typing an answer
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
	p.stdout = out
	p.terminal = term.IsTerminal(int(out.Fd()))
	p.screen = p.terminal && !dumb
	p.color = getenv("NO_COLOR") == "" && p.screen
	p.live = !dumb && term.IsTerminal(int(err.Fd()))
	p.resize()
	p.errWidth = terminalWidth(err)
	return p
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

// resize looks again how large the terminal is.
func (p *printer) resize() {
	p.width, p.height = terminalWidth(p.stdout), 0
	if _, height, err := term.GetSize(int(p.stdout.Fd())); err == nil && height > 0 {
		p.height = height
	}
}

// SGR codes of ECMA-48.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *printer) paint(code, text string) string {
	if !p.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// cut shortens text to width runes; 0 is no end.
func cut(text string, width int) string {
	runes := []rune(text)
	if width <= 0 || len(runes) <= width {
		return text
	}
	return string(runes[:max(width-1, 0)]) + "…"
}

// line prints a line that was asked for.
func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.out, format+"\n", args...)
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

// note prints a line about what happens.
func (p *printer) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.err, format+"\n", args...)
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

// progress shows what is going on now: on a terminal in a line that is written anew,
// elsewhere as a line of its own.
func (p *printer) progress(content string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	content = text.Printable(content)
	switch {
	case !p.live:
		fmt.Fprintln(p.err, content)
		return
	case p.asking: // it would write over the prompt
		return
	}
	fmt.Fprint(p.err, "\r"+cut(content, p.errWidth-1)+"\x1b[K")
	p.liveLine = true
}

// settle takes the line of progress away for good.
func (p *printer) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// clear takes the line of progress away; the lock is held.
func (p *printer) clear() {
	if p.liveLine {
		fmt.Fprint(p.err, "\r\x1b[K")
		p.liveLine = false
	}
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
		fmt.Fprintln(p.err, "holdfast: "+text.Printable(strings.TrimRight(line, "\n")))
	}
	p.sayHint(hint)
}

// hint prints what to do, if anything.
func (p *printer) hint(hint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sayHint(hint)
}

func (p *printer) sayHint(hint string) {
	if hint != "" {
		if p.ours != nil {
			hint = p.ours(hint)
		}
		fmt.Fprintln(p.err, "hint: "+text.Printable(hint))
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

// openScreen begins a picture that is drawn again and again. What the terminal showed before
// comes back with closeScreen.
func (p *printer) openScreen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.out, "\x1b[?1049h\x1b[?25l\x1b[?7l") // another screen, no cursor, no wrapping
}

func (p *printer) closeScreen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.out, "\x1b[?7h\x1b[?25h\x1b[?1049l")
}

// draw draws the picture over the one before.
func (p *printer) draw(frame func(width, height int) [][]cell) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range frame(p.width, p.height) {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, c := range line {
			b.WriteString(p.paint(c.color, c.text))
		}
		b.WriteString("\x1b[K")
	}
	b.WriteString("\x1b[J")
	fmt.Fprint(p.out, b.String()) // at once: nothing flickers
}

// rows prints a table: columns aligned, the last one cut to the terminal.
func (p *printer) rows(t table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.writeRows(t)
}

func (p *printer) writeRows(t table) {
	for _, line := range t.lines(p.width) {
		var b strings.Builder
		for _, cell := range line {
			b.WriteString(p.paint(cell.color, cell.text))
		}
		fmt.Fprintln(p.out, strings.TrimRight(b.String(), " "))
	}
}

// checkup prints what was found of one thing, below its name: a word, a sentence, and the
// mend in a line of its own that can be pasted.
func (p *printer) checkup(title string, findings []tunnelfile.Finding) {
	if len(findings) == 0 {
		return
	}
	p.line("%s", p.paint(bold, title))
	for _, f := range findings {
		word, color := "ok", green
		switch f.Severity {
		case tunnelfile.Hint:
			word, color = "hint", yellow
		case tunnelfile.Trouble:
			word, color = "problem", red
		}
		p.line("  %s %s: %s", p.paint(color, fmt.Sprintf("%-8s", word)), f.Subject, text.Printable(f.Message))
		if f.Mend != "" {
			p.line("           mend: %s", text.Printable(f.Mend))
		}
	}
	p.line("")
}

// usage prints how a verb is written.
func (p *printer) usage(v verb) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "holdfast %s %s\n  %s\n", v.name, v.args, v.does)
}

// help prints all verbs.
func (p *printer) help(verbs []verb) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.out, "holdfast [--json] [--system] VERB")
	fmt.Fprintln(p.out)
	var t table
	for _, v := range verbs {
		t = append(t, []cell{{text: "  " + v.name + " " + v.args}, {text: v.does}})
	}
	p.writeRows(t)
	fmt.Fprintln(p.out)
	fmt.Fprintln(p.out, "NAME may be a glob. Files are in ~/.config/holdfast/NAME.tunnel, see holdfast.tunnel(5).")
}
