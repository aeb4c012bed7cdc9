package tray

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	// downDelay is how long a tunnel may be down before anybody is told.
	downDelay = 30 * time.Second
	// A tunnel that was interrupted so often in that time is unstable, which is told once.
	unstableAfter  = 5
	unstableWindow = 10 * time.Minute
	// maxSingle is how many tunnels are told of one by one.
	maxSingle = 3
	// groupWait is how long one waits for others that go the same way: what hits one
	// tunnel often hits all, and never in the same moment.
	groupWait = 2 * time.Second
)

// Notice is a notification that is to be shown, or taken back.
type Notice struct {
	Key     string // a later notice of the same key replaces this one
	Title   string // empty: close the one that is shown
	Body    string
	Urgent  bool
	Lasting bool           // it says how things are, until it is replaced or closed
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
	groups   [subjects]group
}

// group is a notice about several tunnels.
type group struct {
	open bool // it stands on the screen
	back int  // how many of them are well again
}

// episode is what has been seen and told of a tunnel.
type episode struct {
	phase     phase
	since     time.Time    // when it was first seen in this phase
	announced subject      // what stands on the screen, or nothing
	grouped   bool         // that is about others too
	reason    fault.Reason // that was told
	drops     []time.Time
	unstable  bool
}

// phase is what a state is, as far as news go.
type phase int

const (
	phaseIdle phase = iota // a person's wish, or the network's: neither is news
	phaseGood
	phaseDown
	phaseNeedy
)

// attention is what a person knows of what a tunnel needs.
type attention int

const (
	unaware  attention = iota
	expected           // a question waits for a click on its notification
	aware              // its dialog is on the screen, or was closed
)

func phaseOf(t listing.Tunnel, a attention) phase {
	switch {
	case needsYou(t) && a == aware, asks(t) && a != expected: // whoever asks has somebody's attention
		return phaseIdle
	case needsYou(t):
		return phaseNeedy
	case t.State == tunnelfile.Inactive, t.State == tunnelfile.Stopping, t.State == tunnelfile.Offline:
		return phaseIdle
	case t.Well():
		return phaseGood
	}
	return phaseDown
}

// subject is what a notice can be about.
type subject int

const (
	nothing subject = iota
	needy
	down
	unstable
	subjects
)

// Update takes in how things are. It returns what is to be told now, and when to ask
// again though nothing changed; zero for never.
func (n *Notices) Update(s dbusapi.Snapshot, muted map[string]bool, of func(tunnel string) attention, now time.Time) (notices []Notice, again time.Time) {
	if !s.Running {
		return nil, time.Time{} // what was seen last still stands
	}
	if n.episodes == nil {
		n.episodes = make(map[string]*episode)
	}
	var news news
	for _, t := range s.Tunnels {
		e := n.episodes[t.Name]
		if e == nil {
			e = &episode{}
			n.episodes[t.Name] = e
		}
		before := *e
		e.observe(phaseOf(t, of(t.Name)), now)
		if muted[t.Name] {
			*e = episode{phase: e.phase, since: e.since}
			continue
		}
		if e.phase == phaseGood || e.phase == phaseIdle {
			e.announced = nothing
			if before.grouped && before.announced != nothing && e.phase == phaseGood {
				n.groups[before.announced].back++
			}
			notices = append(notices, n.ended(before, t, now)...)
		}
		news.add(e, t)
	}
	for name, e := range n.episodes {
		if _, there := s.Tunnel(name); !there {
			if e.announced != nothing && !e.grouped {
				notices = append(notices, Notice{Key: name})
			}
			delete(n.episodes, name)
		}
	}
	for _, about := range []subject{needy, down, unstable} {
		dueNow, due := news.dueNow(about, now)
		notices = append(notices, n.tell(about, dueNow)...)
		if !due.IsZero() && (again.IsZero() || due.Before(again)) {
			again = due
		}
	}
	return append(notices, n.closeGroups()...), again
}

// observe takes in how a tunnel is.
func (e *episode) observe(p phase, now time.Time) {
	e.drops = slices.DeleteFunc(e.drops, func(d time.Time) bool { return now.Sub(d) > unstableWindow })
	if len(e.drops) == 0 {
		e.unstable = false
	}
	if p == e.phase {
		return
	}
	if e.phase == phaseGood && p == phaseDown {
		e.drops = append(e.drops, now)
	}
	e.phase, e.since = p, now
}

// ended is what is told of a tunnel whose episode came to an end.
func (n *Notices) ended(before episode, t listing.Tunnel, now time.Time) []Notice {
	log := actions(t.Name, "log", "Show log")
	switch {
	case before.announced == nothing || before.grouped || before.unstable:
		return nil
	case !t.Well():
		return []Notice{{Key: t.Name}}
	case before.announced == needy:
		return []Notice{{Key: t.Name, Title: t.Name + " is up", Actions: log}}
	}
	return []Notice{{Key: t.Name, Title: t.Name + " is up again", Body: "It was down for " + text.Period(now.Sub(before.since)) + ".", Actions: log}}
}

// candidate is a tunnel that something may have to be told of.
type candidate struct {
	*episode
	tunnel listing.Tunnel
	due    time.Time
}

// news is what there may be to tell.
type news struct {
	list       [subjects][]candidate
	moreComing [subjects]bool // other tunnels may be about to follow
}

func (n *news) add(e *episode, t listing.Tunnel) {
	if t.State == tunnelfile.Connecting && e.phase == phaseDown {
		n.moreComing[needy] = true
	}
	if !e.unstable && e.phase == phaseGood && len(e.drops) == unstableAfter-1 {
		n.moreComing[unstable] = true
	}
	about, due := nothing, e.since
	switch {
	case e.phase == phaseNeedy && (e.announced != needy || e.reason != t.Reason):
		about = needy
	case e.phase != phaseDown || e.unstable:
	case len(e.drops) >= unstableAfter:
		about = unstable
	case e.announced != down:
		about, due = down, e.since.Add(downDelay)
	}
	n.list[about] = append(n.list[about], candidate{e, t, due})
}

// dueNow is the candidates that are to be told of now, and when there are more.
func (n *news) dueNow(about subject, now time.Time) (dueNow []candidate, again time.Time) {
	list := n.list[about]
	slices.SortStableFunc(list, func(a, b candidate) int { return a.due.Compare(b.due) })
	i := slices.IndexFunc(list, func(c candidate) bool { return c.due.After(now) })
	if i < 0 {
		i = len(list)
	} else {
		again = list[i].due
	}
	if i == 0 {
		return nil, again
	}
	// Those that are told of together are told of when the first has waited for the others.
	last := list[0].due.Add(groupWait)
	if last.After(now) && (n.moreComing[about] || i < len(list) && !again.After(last)) {
		return nil, last
	}
	return list[:i], again
}

// tell is the notices about tunnels, or the one about all of them.
func (n *Notices) tell(about subject, list []candidate) []Notice {
	var notices []Notice
	var names []string
	many := len(list) > maxSingle || n.groups[about].open
	for _, c := range list {
		was := *c.episode
		c.announced, c.reason, c.unstable = about, c.tunnel.Reason, about == unstable
		notice := noticeOf(about, c)
		// An urgent one is not hidden among others.
		if c.grouped = many && !notice.Urgent; !c.grouped {
			notices = append(notices, notice)
			continue
		}
		if was.announced != nothing && !was.grouped {
			notices = append(notices, Notice{Key: c.tunnel.Name})
		}
	}
	for name, e := range n.episodes {
		if e.grouped && e.announced == about {
			names = append(names, name)
		}
	}
	if !many || len(list) == 0 || len(names) == 0 {
		return notices
	}
	slices.Sort(names)
	n.groups[about].open = true
	return append(notices, groupNotice(about, names))
}

// closeGroups ends the notices about several tunnels that none of them is in any more.
func (n *Notices) closeGroups() []Notice {
	var notices []Notice
	for about := range subjects {
		left := false
		for _, e := range n.episodes {
			left = left || e.grouped && e.announced == about
		}
		if g := n.groups[about]; g.open && !left {
			notice := Notice{Key: groupKey(about)}
			if about == down && g.back > 0 {
				notice.Title = several(g.back, "up again")
			}
			notices, n.groups[about] = append(notices, notice), group{}
		}
	}
	return notices
}

// noticeOf is the notice about one tunnel.
func noticeOf(about subject, c candidate) Notice {
	t := c.tunnel
	n := Notice{Key: t.Name, Title: t.Name + " is down", Body: sentence(t.Status), Lasting: true, Actions: actions(t.Name, "log", "Show log")}
	switch {
	case about == needy:
		return needsYouNotice(t)
	case about == unstable:
		n.Title = t.Name + " is unstable"
		n.Body = fmt.Sprintf("It was interrupted %d times in the last %s.", len(c.drops), text.Period(unstableWindow))
	case t.State == tunnelfile.Degraded:
		n.Title = t.Name + " is not well"
	}
	return n
}

func needsYouNotice(t listing.Tunnel) Notice {
	r := remedyFor(t)
	n := Notice{Key: t.Name, Title: t.Name + " needs you", Body: needOf(t), Lasting: true, Actions: actions(t.Name, r.verb, r.label)}
	switch {
	case t.Reason == fault.HostKeyChanged:
		n.Title, n.Urgent = t.Name+": the server's host key has changed", true
	case t.Reason == fault.HostKeyRevoked:
		n.Title, n.Urgent = t.Name+": the server's host key is revoked", true
	case t.State == tunnelfile.Failed:
		n.Title = t.Name + " has failed"
	}
	return n
}

// sentence is a status line that stands alone.
func sentence(status string) string {
	if status == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(status)
	return string(unicode.ToUpper(first)) + status[size:]
}

// groupNotice is the notice about several tunnels.
func groupNotice(about subject, names []string) Notice {
	body := strings.Join(names, ", ")
	if len(names) > maxSingle+1 {
		body = strings.Join(names[:maxSingle], ", ") + fmt.Sprintf(" and %d more", len(names)-maxSingle)
	}
	title := text.Count(len(names), "tunnel") + " waiting for you"
	if about != needy {
		title = several(len(names), map[subject]string{down: "down", unstable: "unstable"}[about])
	}
	return Notice{Key: groupKey(about), Title: title, Body: body, Lasting: true, Actions: []NoticeAction{{"status", "Show status"}}}
}

// several says how so many tunnels are.
func several(n int, how string) string {
	if n == 1 {
		return "1 tunnel is " + how
	}
	return text.Count(n, "tunnel") + " are " + how
}

// groupKey has a space, so that it is no tunnel's name.
func groupKey(about subject) string { return fmt.Sprint("several ", int(about)) }

// actions is what can be done about a tunnel from a notice.
func actions(name, verb, label string) []NoticeAction {
	return []NoticeAction{{key(verb, name), label}, {key("mute", name), "Mute"}}
}
