package tray

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// tunnelItem is a tunnel's submenu, of so many rows. Forwards have what the others leave; status
// shows all of them.
func tunnelItem(m Model, t listing.Tunnel, rows int) Item {
	about := Item{Key: key("status", t.Name), Label: about(t, m.Traffic[t.Name], m.Now)}
	var items []Item
	if r := remedyFor(t); needsYou(t) && r.extra() {
		items = append(items, Item{Key: key(r.verb, t.Name), Label: r.label})
	}
	if isStopped(t) {
		items = append(items, Item{Key: key("start", t.Name), Label: "Start"})
	} else {
		items = append(items, Item{Key: key("stop", t.Name), Label: "Stop", Disabled: t.State == tunnelfile.Stopping})
	}
	if !needsYou(t) {
		items = append(items, Item{Key: key("reconnect", t.Name), Label: "Reconnect", Disabled: !slices.Contains(connects, t.State)})
	}
	items = append(items,
		Item{Key: key("log", t.Name), Label: "Show log"},
		Item{Key: key("edit", t.Name), Label: "Edit…", Disabled: t.FilePath == ""},
		Item{Key: key("login", t.Name), Kind: Check, Label: "Start at login", Checked: t.StartMode != tunnelfile.StartManual},
	)
	forwards := []Item{about}
	for i, f := range t.Forwards[:min(len(t.Forwards), rows-len(items)-1)] {
		forwards = append(forwards, forwardItem(t, i, f))
	}
	return Item{Key: key("tunnel", t.Name), Kind: Submenu, Label: tunnelLabel(t), Items: append(forwards, items...)}
}

// tunnelLabel is a tunnel and how it is.
func tunnelLabel(t listing.Tunnel) string {
	if needsYou(t) {
		return t.Name + " – needs you"
	}
	return t.Name + " – " + string(t.State)
}

// connects is the states in which there is an SSH connection, or a try at one, to make anew.
var connects = []tunnelfile.State{tunnelfile.Up, tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting}

// about is how a tunnel is: what is wrong, what goes through it, or where it goes and since when.
func about(t listing.Tunnel, traffic Traffic, now time.Time) string {
	connected := t.State == tunnelfile.Up || t.State == tunnelfile.Degraded
	if needsYou(t) || t.Status != "" && !t.Well() {
		return sentence(t.Status)
	}
	if connected && !traffic.At.IsZero() {
		return traffic.String()
	}
	text := cmp.Or(t.Destination, t.Description, t.Name)
	switch {
	case connected && !t.UpSince.IsZero():
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
	if slices.Contains([]string{"", "*", "0.0.0.0", "::"}, host) {
		return "localhost"
	}
	return host
}

// webScheme is how web servers are reached, by their usual ports.
var webScheme = map[string]string{"80": "http", "8000": "http", "8080": "http", "443": "https", "8443": "https"}

// webAddress is the address of a local forward that leads to a web server, going by
// the port it leads to; "" for others.
func webAddress(f tunnelfile.ForwardReport) string {
	if f.Kind != tunnelfile.LocalForward || strings.HasPrefix(f.Listen, "/") {
		return ""
	}
	_, port, err := net.SplitHostPort(f.Target)
	scheme := webScheme[port]
	if err != nil || scheme == "" {
		return ""
	}
	host, port, err := net.SplitHostPort(f.Listen)
	if err != nil { // a port alone
		host, port = "localhost", f.Listen
	}
	return scheme + "://" + net.JoinHostPort(here(host), port) + "/"
}
