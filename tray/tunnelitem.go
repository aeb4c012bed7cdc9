package tray

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// tunnelItem is a tunnel's submenu.
func tunnelItem(m Model, t listing.Tunnel, label string) Item {
	items := []Item{line(key("about", t.Name), about(t, m.Now))}
	if t.Status != "" && !t.Well() {
		items = append(items, line(key("status", t.Name), t.Status))
	}
	if t.State == tunnelfile.Up || t.State == tunnelfile.Degraded {
		// Always there, so that nothing moves when the numbers come.
		items = append(items, line(key("traffic", t.Name), m.Traffic[t.Name].String()))
	}
	if needsYou(t.State) {
		verb, label := help(t)
		if verb != "log" { // that one comes anyway
			items = append(items, Item{Key: key(verb, t.Name), Label: label})
		}
	}
	for i, f := range t.Forwards {
		items = append(items, forwardItem(t, i, f))
	}
	if t.State == tunnelfile.Inactive || t.State == tunnelfile.Failed {
		items = append(items, Item{Key: key("start", t.Name), Label: "Start"})
	} else {
		items = append(items, Item{Key: key("stop", t.Name), Label: "Stop", Disabled: t.State == tunnelfile.Stopping})
	}
	items = append(items,
		Item{Key: key("reconnect", t.Name), Label: "Reconnect", Disabled: !connects(t.State)},
		Item{Key: key("login", t.Name), Kind: Check, Label: "Start at login", Checked: t.StartMode != tunnelfile.StartManual},
		Item{Key: key("mute", t.Name), Kind: Check, Label: "Do not tell me about this tunnel", Checked: m.Muted[t.Name]},
		Item{Key: key("log", t.Name), Label: "Show log"},
		Item{Key: key("edit", t.Name), Label: "Edit…", Disabled: t.FilePath == ""},
	)
	return Item{Key: key("tunnel", t.Name), Kind: Submenu, Label: label, Items: items}
}

// connects says whether there is an SSH connection, or a try at one, to make anew.
func connects(s tunnelfile.State) bool {
	switch s {
	case tunnelfile.Up, tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting, tunnelfile.Blocked:
		return true
	}
	return false
}

// about is where a tunnel goes and since when it is how it is.
func about(t listing.Tunnel, now time.Time) string {
	text := t.Destination
	if text == "" {
		text = t.Description
	}
	switch {
	case !t.UpSince.IsZero() && (t.State == tunnelfile.Up || t.State == tunnelfile.Degraded):
		text += " · up since " + clock(t.UpSince, now)
	case !t.StateSince.IsZero() && t.State != tunnelfile.Inactive:
		text += fmt.Sprintf(" · %s since %s", t.State, clock(t.StateSince, now))
	}
	return text
}

// clock is a moment as people say it on the same day, in the same week, or later.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04")
	case now.Sub(t).Abs() < 6*24*time.Hour:
		return t.Format("Mon 15:04")
	}
	return t.Format("2 Jan 15:04")
}

// forwardItem is one forward: a click copies where it listens, or opens it.
func forwardItem(t listing.Tunnel, i int, f tunnelfile.ForwardReport) Item {
	item := Item{Key: key("copy", t.Name, strconv.Itoa(i)), Label: "Copy " + copied(f)}
	switch {
	case f.Kind == tunnelfile.RemoteForward:
		item.Label = "Copy the server's " + copied(f)
	case webAddress(f) != "":
		item.Key, item.Label = key("open", t.Name, strconv.Itoa(i)), "Open "+webAddress(f)
	}
	if f.Target != "" {
		item.Label += "  (to " + f.Target + ")"
	}
	if f.State != tunnelfile.Up && f.State != tunnelfile.Listening && f.State != "" && f.State != t.State {
		item.Label += " – " + string(f.State)
		if f.Message != "" {
			item.Label += ": " + f.Message
		}
	}
	return item
}

// copied is what a click on a forward puts on the clipboard: where to connect to.
func copied(f tunnelfile.ForwardReport) string {
	if host, port, err := net.SplitHostPort(f.Listen); err == nil && f.Kind != tunnelfile.RemoteForward && !strings.HasPrefix(f.Listen, "/") {
		return net.JoinHostPort(here(host), port)
	}
	return f.Listen
}

// here is a host to connect to for one to listen on.
func here(host string) string {
	switch host {
	case "", "*", "0.0.0.0", "::":
		return "localhost"
	}
	return host
}

// webAddress is the address of a local forward that leads to a web server, going by
// the port it leads to; "" for others.
func webAddress(f tunnelfile.ForwardReport) string {
	if f.Kind != tunnelfile.LocalForward || strings.HasPrefix(f.Listen, "/") {
		return ""
	}
	scheme := ""
	_, port, err := net.SplitHostPort(f.Target)
	switch {
	case err != nil:
		return ""
	case port == "80" || port == "8000" || port == "8080":
		scheme = "http"
	case port == "443" || port == "8443":
		scheme = "https"
	default:
		return ""
	}
	host, port, err := net.SplitHostPort(f.Listen)
	if err != nil { // a port alone
		host, port = "localhost", f.Listen
	}
	return scheme + "://" + net.JoinHostPort(here(host), port) + "/"
}
