package tray

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	// patience is how long a tunnel may be down before anybody is told.
	patience = 30 * time.Second
	// A tunnel that was interrupted so often in that time is unstable, which is told once.
	unstableAfter  = 5
	unstableWindow = 10 * time.Minute
	// crowd is how many tunnels are told of one by one.
	crowd = 3
)

// Notice is a notification that is to be shown, or taken back.
type Notice struct {
	Key     string // a later notice of the same key replaces this one
	Title   string // empty: close the one that is shown
	Body    string
	Urgent  bool
	Actions []NoticeAction // the first is what a click on the notice does
}

// NoticeAction is a button.
type NoticeAction struct {
	Key   string // what it means, as an Item's
	Label string
}

// Notices decides what is worth telling. It is driven by what is seen and when, and
// shows nothing itself.
type Notices struct {
	episodes map[string]*episode
}

// episode is what has been seen and told of a tunnel.
type episode struct {
	good     bool      // when last seen
	badSince time.Time // zero: not down
	told     told
	status   string // that was told
	drops    []time.Time
	unstable bool
}

// told is what stands on the screen about a tunnel.
type told int

const (
	toldNothing told = iota
	toldDown
	toldNeedsYou
)

// Update takes in how things are. It returns what is to be told now, and when to ask
// again though nothing changed; zero for never.
func (n *Notices) Update(s dbusapi.Snapshot, muted map[string]bool, now time.Time) (notices []Notice, again time.Time) {
	if !s.Running {
		return nil, time.Time{} // what was seen last still stands
	}
	if n.episodes == nil {
		n.episodes = make(map[string]*episode)
	}
	var down, back []Notice
	present := map[string]bool{}
	for _, t := range s.Tunnels {
		present[t.Name] = true
		e := n.episodes[t.Name]
		if e == nil {
			e = &episode{}
			n.episodes[t.Name] = e
		}
		if muted[t.Name] {
			*e = episode{good: good(t.State)}
			continue
		}
		notice, kind := e.see(t, now)
		switch kind {
		case kindDown:
			down = append(down, notice)
		case kindBack:
			back = append(back, notice)
		case kindSingle:
			notices = append(notices, notice)
		}
		if due := e.due(); !due.IsZero() && (again.IsZero() || due.Before(again)) {
			again = due
		}
	}
	for name, e := range n.episodes {
		if !present[name] {
			if e.told != toldNothing {
				notices = append(notices, Notice{Key: name})
			}
			delete(n.episodes, name)
		}
	}
	notices = append(notices, gather(down, "down", "are down")...)
	notices = append(notices, gather(back, "down", "are up again")...)
	return notices, again
}

// due is when an episode has to be looked at again.
func (e *episode) due() time.Time {
	if e.badSince.IsZero() || e.told != toldNothing || e.unstable {
		return time.Time{}
	}
	return e.badSince.Add(patience)
}

// noticeKind says whether a notice may be gathered with others of its kind.
type noticeKind int

const (
	kindNone noticeKind = iota
	kindSingle
	kindDown
	kindBack
)

// see takes in a tunnel's state.
func (e *episode) see(t dbusapi.Tunnel, now time.Time) (Notice, noticeKind) {
	wasGood := e.good
	e.good = good(t.State)
	e.drops = slices.DeleteFunc(e.drops, func(d time.Time) bool { return now.Sub(d) > unstableWindow })
	if len(e.drops) == 0 {
		e.unstable = false
	}
	switch {
	case e.good:
		return e.seeGood(t, now)
	case needsYou(t.State):
		e.badSince = time.Time{}
		if e.told == toldNeedsYou && e.status == t.Status {
			return Notice{}, kindNone
		}
		e.told, e.status = toldNeedsYou, t.Status
		return needsYouNotice(t), kindSingle
	case t.State == tunnelfile.Inactive, t.State == tunnelfile.Stopping, t.State == tunnelfile.Offline:
		// A person's wish, or the network's: neither is news.
		e.badSince = time.Time{}
		if e.told == toldNothing {
			return Notice{}, kindNone
		}
		e.told = toldNothing
		return Notice{Key: t.Name}, kindSingle
	}
	return e.seeBad(t, wasGood, now)
}

func (e *episode) seeGood(t dbusapi.Tunnel, now time.Time) (Notice, noticeKind) {
	before, since := e.told, e.badSince
	e.told, e.badSince = toldNothing, time.Time{}
	switch {
	case before == toldNothing || e.unstable:
		return Notice{}, kindNone
	case before == toldNeedsYou:
		return Notice{Key: t.Name, Title: t.Name + " is up", Actions: actions(t.Name, "log", "Show log")}, kindSingle
	}
	return Notice{Key: t.Name, Title: t.Name + " is up again", Body: "It was down for " + period(now.Sub(since)) + ".",
		Actions: actions(t.Name, "log", "Show log")}, kindBack
}

func (e *episode) seeBad(t dbusapi.Tunnel, wasGood bool, now time.Time) (Notice, noticeKind) {
	if e.badSince.IsZero() {
		e.badSince = now
	}
	if wasGood {
		e.drops = append(e.drops, now)
		if len(e.drops) >= unstableAfter && !e.unstable {
			e.unstable, e.told = true, toldDown
			return Notice{Key: t.Name, Title: t.Name + " is unstable",
				Body:    fmt.Sprintf("It was interrupted %d times in the last %s.", len(e.drops), period(unstableWindow)),
				Actions: actions(t.Name, "log", "Show log")}, kindSingle
		}
	}
	if e.told == toldDown || e.unstable || now.Sub(e.badSince) < patience {
		return Notice{}, kindNone
	}
	e.told, e.status = toldDown, t.Status
	title := t.Name + " is down"
	if t.State == tunnelfile.Degraded {
		title = t.Name + " is not well"
	}
	return Notice{Key: t.Name, Title: title, Body: t.Status, Actions: actions(t.Name, "log", "Show log")}, kindDown
}

func needsYouNotice(t dbusapi.Tunnel) Notice {
	verb, label := help(t)
	n := Notice{Key: t.Name, Title: t.Name + " needs you", Body: t.Status, Actions: actions(t.Name, verb, label)}
	if t.State == tunnelfile.Failed {
		n.Title = t.Name + " has failed"
	}
	if status := strings.ToLower(t.Status); strings.Contains(status, "host key") && strings.Contains(status, "changed") {
		n.Title, n.Urgent = t.Name+": the server's host key has changed", true
	}
	return n
}

// actions is what can be done about a tunnel from a notice.
func actions(name, verb, label string) []NoticeAction {
	return []NoticeAction{{key(verb, name), label}, {key("mute", name), "Do not tell me about this tunnel"}}
}

// gather makes one notice of many.
func gather(list []Notice, groupKey, what string) []Notice {
	if len(list) <= crowd {
		return list
	}
	names := make([]string, len(list))
	var gathered []Notice
	for i, n := range list {
		names[i] = n.Key
	}
	slices.Sort(names)
	return append(gathered, Notice{Key: "several " + groupKey, Title: fmt.Sprintf("%d tunnels %s", len(list), what),
		Body: strings.Join(names[:crowd], ", ") + fmt.Sprintf(" and %d more", len(names)-crowd)})
}

// period is a length of time for people.
func period(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return plural(int(d.Round(time.Second)/time.Second), "second")
	case d < 90*time.Minute:
		return plural(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 36*time.Hour:
		return plural(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int(d.Round(24*time.Hour)/(24*time.Hour)), "day")
}
