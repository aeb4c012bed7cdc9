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

// tunnelItem returns a tunnel's submenu, of at most so many rows. Forwards that do not fit are left
// out; holdfast status shows all of them.
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

// tunnelLabel returns a tunnel's name and state.
func tunnelLabel(t listing.Tunnel) string {
	if needsYou(t) {
		return t.Name + " – needs you"
	}
	return t.Name + " – " + string(t.State)
}

// connects lists the states in which Reconnect makes sense: there is an SSH connection or an
// attempt.
var connects = []tunnelfile.State{tunnelfile.Up, tunnelfile.Degraded, tunnelfile.Retrying, tunnelfile.Connecting}

// about returns the first line of a submenu: what is wrong, the traffic, or the destination and
// since when.
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

// clock formats a time: the time alone on the same day, with the weekday within six days, else with
// the date.
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

// forwardItem returns the item of a forward. A click copies its address, or opens it if it is a web
// server's.
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

// copied returns the address to connect to. A click on a forward copies it to the clipboard.
func copied(f tunnelfile.ForwardReport) string {
	host, port, err := net.SplitHostPort(f.Listen)
	if err != nil || f.Kind == tunnelfile.RemoteForward || strings.HasPrefix(f.Listen, "/") {
		return f.Listen
	}
	if slices.Contains([]string{"", "*", "0.0.0.0", "::"}, host) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// webScheme maps the usual ports of web servers to their URL schemes.
var webScheme = map[string]string{"80": "http", "8000": "http", "8080": "http", "443": "https", "8443": "https"}

// webAddress returns the URL of a local forward to a web server, "" for others. The target's port
// tells whether it is one.
func webAddress(f tunnelfile.ForwardReport) string {
	if f.Kind != tunnelfile.LocalForward || strings.HasPrefix(f.Listen, "/") {
		return ""
	}
	_, port, err := net.SplitHostPort(f.Target)
	scheme := webScheme[port]
	if err != nil || scheme == "" {
		return ""
	}
	return scheme + "://" + copied(f) + "/"
}
