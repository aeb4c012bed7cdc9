package top

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/logs"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// page is what the window shows: the list, or a page about the selected tunnel.
type page int

const (
	listPage page = iota
	tunnelPage
	logPage
	historyPage
	keysPage
)

// window is the content of the screen and how keys change it. It is pure: keys return an action for
// everything else.
type window struct {
	view
	width, height int

	page     page
	selected string // the name of a tunnel
	first    int    // the first row of the list that is shown, or the first line of a page
	atEnd    bool   // follow the end of the page as it grows
	filter   string
	typing   bool        // the filter is being typed
	outcome  layout.Line // the result of the last key

	log     []logs.Line    // of logPage, else nil
	history []layout.Block // of historyPage, else nil
	days    int            // how many days historyPage covers
	buttons []button       // the keys of the last line, for the mouse
	from    page           // the page to which keysPage goes back
}

// button is a key shown on the last line.
type button struct {
	from, to int // columns; to is exclusive
	key      string
}

// action is what a key does outside of the window.
type action struct {
	do   doing
	verb string // for the daemon, or of the command line
	name string // of a tunnel
}

// doing is the kind of an action.
type doing int

const (
	nothing     doing = iota
	quit              // the person wants to end it
	call              // a request to the daemon
	outside           // a verb that needs the whole terminal
	readLog           // read the log until another page is shown
	readHistory       // read the history once
)

// binding is a key, what it does, and on which pages.
type binding struct {
	key, also string // another key that does the same
	label     string // a word or two for the last line; "" if not shown there
	does      string // a sentence for keysPage
	pages     []page // nil means all
	press     func(*window) action
}

// ofOne are the pages with a selected tunnel.
var ofOne = []page{listPage, tunnelPage, logPage, historyPage}

// bindings are all keys in the order of display. It is a function because the bindings refer to methods
// that use it.
func bindings() []binding {
	list, scrolled := []page{listPage}, []page{tunnelPage, logPage, historyPage, keysPage}
	return []binding{
		{keyEnter, keyRight, "open", "shows everything about the tunnel", list, func(w *window) action { return w.open(tunnelPage) }},
		{keyEscape, keyLeft, "back", "goes back; in the list it removes the filter", nil, (*window).back},
		{"u", "", "up", "brings the tunnel up", ofOne, daemonDoes("up")},
		{"d", "", "down", "takes it down", ofOne, daemonDoes("down")},
		{"l", "", "log", "shows its log, and new lines as they come", ofOne, func(w *window) action { return w.open(logPage) }},
		{"h", "", "history", "shows its history: its outages of a week", ofOne, func(w *window) action { return w.open(historyPage) }},
		{"1", "", "day", "shows its history of a day", []page{historyPage}, looksBack(1)},
		{"2", "", "week", "shows its history of a week", []page{historyPage}, looksBack(7)},
		{"3", "", "month", "shows its history of a month", []page{historyPage}, looksBack(30)},
		{"/", "", "filter", "shows only tunnels with these letters in name, tags, state or destination", list, func(w *window) action { w.typing = true; return action{} }},
		{"e", "", "edit", "opens its file in your editor", ofOne, runs("edit")},
		{"?", "", "keys", "shows all keys", ofOne, func(w *window) action { return w.open(keysPage) }},
		{"q", "Q", "quit", "ends top, as Ctrl-C does; Ctrl-Z suspends it", nil, func(*window) action { return action{do: quit} }},
		{"r", "", "reconnect", "makes a new SSH connection, then closes the old one", ofOne, daemonDoes("reconnect")},
		{"R", "", "restart", "restarts the tunnel's unit", ofOne, daemonDoes("restart")},
		{"s", "S", "sort", "sorts by throughput, or by name again", list, func(w *window) action { w.byThroughput = !w.byThroughput; return action{} }},
		{"a", "", "add", "asks for a new tunnel", ofOne, func(*window) action { return action{do: outside, verb: "add"} }},
		{"c", "", "check", "checks what would keep it from staying up", ofOne, runs("check")},
		{"t", "", "trust", "shows the server's host keys, and asks whether to trust them", ofOne, runs("trust")},
		{"p", "", "answer", "answers what the tunnel asks: a passphrase, a code, a password", ofOne, runs("up")},
		{keyUp, "k", "", "one up; also the wheel", nil, func(w *window) action { return w.move(-1) }},
		{keyDown, "j", "", "one down; a click selects a tunnel, another one opens it", nil, func(w *window) action { return w.move(1) }},
		{keyPageUp, "b", "", "a page up", nil, func(w *window) action { return w.move(-max(w.room()-1, 1)) }},
		{keyPageDown, " ", "", "a page down", nil, func(w *window) action { return w.move(max(w.room()-1, 1)) }},
		{keyHome, "g", "", "to the first", nil, func(w *window) action { return w.move(-noEnd) }},
		{keyEnd, "G", "", "to the last", nil, func(w *window) action { return w.move(noEnd) }},
		{mouseUp, "", "", "", list, func(w *window) action { return w.move(-1) }},
		{mouseDown, "", "", "", list, func(w *window) action { return w.move(1) }},
		{mouseUp, "", "", "", scrolled, func(w *window) action { return w.move(-3) }},
		{mouseDown, "", "", "", scrolled, func(w *window) action { return w.move(3) }},
	}
}

// on says whether the key works on a page.
func (b binding) on(p page) bool { return b.pages == nil || slices.Contains(b.pages, p) }

// daemonDoes returns a key's function that sends a request about the selected tunnel to the daemon.
func daemonDoes(verb string) func(*window) action {
	return func(w *window) action { return w.aboutSelected(call, verb) }
}

// runs returns a key's function that runs a verb of the command line on the selected tunnel.
func runs(verb string) func(*window) action {
	return func(w *window) action { return w.aboutSelected(outside, verb) }
}

func (w *window) aboutSelected(do doing, verb string) action {
	if w.selected == "" {
		return action{}
	}
	return action{do, verb, w.selected}
}

func looksBack(days int) func(*window) action {
	return func(w *window) action {
		w.days = days
		return w.open(historyPage)
	}
}

// open shows a page.
func (w *window) open(p page) action {
	if w.selected == "" && p != keysPage {
		return action{}
	}
	if p == keysPage {
		w.from = w.page
	}
	w.page, w.first, w.atEnd, w.log, w.history = p, 0, p == logPage, nil, nil
	switch p {
	case logPage:
		return action{do: readLog, name: w.selected}
	case historyPage:
		w.history = []layout.Block{{Text: "reading the journal …", Color: layout.Dim}}
		return action{do: readHistory, name: w.selected}
	}
	return action{}
}

func (w *window) back() action {
	switch w.page {
	case listPage:
		w.filter = ""
		return action{}
	case keysPage:
		if w.from != listPage {
			return w.open(w.from)
		}
	case logPage, historyPage:
		return w.open(tunnelPage)
	}
	w.page, w.first = listPage, 0
	return action{}
}

// press handles a key or a click.
func (w *window) press(p press) action {
	w.outcome = nil
	if w.typing {
		w.filterKey(p.key)
		return action{}
	}
	if p.key == mouseLeft {
		return w.click(p.x, p.y)
	}
	return w.key(p.key)
}

func (w *window) key(key string) action {
	for _, b := range bindings() {
		if (b.key == key || b.also == key && key != "") && b.on(w.page) {
			return b.press(w)
		}
	}
	return action{}
}

// filterKey handles a key while the filter is typed.
func (w *window) filterKey(key string) {
	switch key {
	case keyEnter:
		w.typing = false
	case keyEscape:
		w.typing, w.filter = false, ""
	case keyBackspace:
		_, size := utf8.DecodeLastRuneInString(w.filter)
		w.filter = w.filter[:len(w.filter)-size]
	case keyUp, keyDown:
		w.typing = false
		w.key(key)
	default:
		if utf8.RuneCountInString(key) == 1 {
			w.filter += key
		}
	}
	w.first = 0
}

// click handles the left mouse button. A row selects its tunnel, or opens it if it is selected. A key
// on the last line is pressed.
func (w *window) click(x, y int) action {
	if y == w.height-1 {
		for _, b := range w.buttons {
			if x >= b.from && x < b.to {
				return w.key(b.key)
			}
		}
		return action{}
	}
	rows := w.rows()
	at := y - w.above() + w.first
	if w.page != listPage || y < w.above() || y >= w.above()+w.room() || at >= len(rows) {
		return action{}
	}
	if rows[at].Name == w.selected {
		return w.open(tunnelPage)
	}
	w.selected = rows[at].Name
	return action{}
}

// move selects another row of the list, or scrolls a page. frame limits it to what exists.
func (w *window) move(by int) action {
	if w.page != listPage {
		w.first, w.atEnd = max(w.first+by, 0), false
		return action{}
	}
	if rows := w.rows(); len(rows) > 0 {
		at := slices.IndexFunc(rows, func(t listing.Tunnel) bool { return t.Name == w.selected })
		w.selected = rows[min(max(at+by, 0), len(rows)-1)].Name
	}
	return action{}
}

// rows are the tunnels that match the filter, in order.
func (w *window) rows() []listing.Tunnel {
	return slices.DeleteFunc(w.sorted(), func(t listing.Tunnel) bool {
		of := strings.Join(append([]string{t.Name, string(t.State), string(t.Reason), t.Destination, t.Description}, t.Tags...), "\n")
		return !strings.Contains(strings.ToLower(of), strings.ToLower(w.filter))
	})
}

// fitSelection adjusts first and selected to the existing rows and the space for them.
func (w *window) fitSelection(rows []listing.Tunnel) {
	if len(rows) == 0 {
		if w.page == listPage {
			w.selected = ""
		}
		w.first = 0
		return
	}
	at := slices.IndexFunc(rows, func(t listing.Tunnel) bool { return t.Name == w.selected })
	if at < 0 {
		at = min(w.first, len(rows)-1)
		w.selected = rows[at].Name
	}
	room := max(w.room(), 1)
	w.first = min(max(w.first, at-room+1), at, max(len(rows)-room, 0))
	if at >= w.first+room {
		w.first = at - room + 1
	}
}

// current is the selected tunnel. It is false if there is none.
func (w *window) current() (listing.Tunnel, bool) { return listing.Find(w.tunnels, w.selected) }

// counted are the tunnels whose counters the page shows, without those that do not run.
func (w *window) counted() []listing.Tunnel {
	var shown []listing.Tunnel
	switch {
	case !w.running:
	case w.page == tunnelPage:
		if t, ok := w.current(); ok {
			shown = append(shown, t)
		}
	case w.page == listPage:
		shown = w.rows()
		if !w.byThroughput { // the order by throughput needs all of them
			w.fitSelection(shown)
			shown = shown[w.first:min(w.first+max(w.room(), 0), len(shown))]
		}
	}
	return slices.DeleteFunc(slices.Clone(shown), func(t listing.Tunnel) bool {
		switch t.State {
		case tunnelfile.Inactive, tunnelfile.Failed, tunnelfile.Listening:
			return true
		}
		return false
	})
}

// asks says whether a tunnel waits for an answer that a person can give here.
func asks(t listing.Tunnel) bool {
	return slices.Contains([]fault.Reason{fault.Passphrase, fault.PIN, fault.Password, fault.Code, fault.Touch}, t.Reason)
}

// report shows the result of the last key.
func (w *window) report(color layout.Color, format string, args ...any) {
	w.outcome = layout.Line{layout.Painted(fmt.Sprintf(format, args...), color)}
}

// since is the beginning of the history, for --since=.
func (w *window) since() string { return fmt.Sprintf("-%dd", w.days) }

// clock is the time of the frame. Tests replace it.
var clock = time.Now
