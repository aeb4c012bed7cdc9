package logs

import (
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/tunnel"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/journal"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Tell is a line for people: the time, the tunnel's name, and the text. name is the width of the
// longest name, or 0 to leave names out. Text that is too long wraps in its column.
func (l Line) Tell(name, width int) []layout.Line {
	t := &layout.Table{Columns: []layout.Column{{}}}
	cells := []layout.Cell{layout.Painted(l.At.Local().Format("Jan 02 15:04:05"), layout.Dim)}
	if name > 0 {
		t.Columns = append(t.Columns, layout.Column{Min: name, Shorten: true})
		cells = append(cells, layout.Painted(l.Tunnel, layout.Bold))
	}
	t.Columns = append(t.Columns, layout.Column{Wrap: true, Min: 20, GiveWay: 1, Below: true})
	t.Add(append(cells, layout.Painted(l.what(), l.color()))...)
	return t.Lines(width)
}

// what is the text of a line. A state is written as in other places: "retrying [unreachable]: …".
func (l Line) what() string {
	e := l.Event
	switch {
	case l.Systemd:
		return text.Printable(l.systemdWords())
	case e.Kind == journal.State:
		status := tunnelfile.Status{State: tunnelfile.State(e.State), Reason: fault.Reason(e.Reason), Text: e.Status}
		return text.Printable(status.String())
	}
	return text.Printable(l.Text)
}

// color is the state's colour, or else the one of the priority.
func (l Line) color() layout.Color {
	switch {
	case l.Event.Kind == journal.State:
		return tunnel.Color(tunnelfile.State(l.Event.State))
	case l.Priority <= 3:
		return layout.Red
	case l.Priority == 4:
		return layout.Yellow
	case l.Systemd, l.Priority >= 7:
		return layout.Dim
	}
	return ""
}
