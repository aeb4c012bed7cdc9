package tray

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	// downDelay is how long a tunnel may be down before a notice says so.
	downDelay = 30 * time.Second
	// A tunnel is unstable after so many interruptions in that time. One notice says so.
	unstableAfter  = 5
	unstableWindow = 10 * time.Minute
	// maxSingle is how many tunnels get a notice each. More of them share one.
	maxSingle = 3
	// groupWait is how long a notice waits for other tunnels with the same news. A fault often hits
	// all tunnels, but never at the same moment.
	groupWait = 2 * time.Second
)

// Notice is a notification to show, or to close.
type Notice struct {
	Key     string // a later notice of the same key replaces this one
	Title   string // empty: close the one that is shown
	Body    string
	Urgent  bool
	Lasting bool           // it describes a state, until it is replaced or closed
	Actions []NoticeAction // the first is what a click on the notice does
}

// NoticeAction is a button.
type NoticeAction struct {
	Key   string // what it means, see Item.Key
	Label string
}

// Notices decides which notices to show. Its input is snapshots and their times. It shows nothing
// itself.
type Notices struct {
	episodes map[string]*episode
	groups   [subjects]group
}

// group is a notice about several tunnels.
type group struct {
	open bool // it is on the screen
	back int  // how many of its tunnels are well again
}

// episode is what was seen of a tunnel, and which notice about it is on the screen.
type episode struct {
	phase     phase
	since     time.Time    // when it was first seen in this phase
	announced subject      // what the notice on the screen is about
	grouped   bool         // that notice is about several tunnels
	reason    fault.Reason // the reason in that notice
	drops     []time.Time
	unstable  bool
}

// phase is what a state means for notices.
type phase int

const (
	phaseIdle phase = iota // a person wanted it, or there is no network: no notice
	phaseGood
	phaseDown
	phaseNeedy
)

// attention is what a person knows of a tunnel's need.
type attention int

const (
	unaware  attention = iota
	expected           // a question waits for a click on its notification
	aware              // its dialog is on the screen, or was closed
)

func phaseOf(t listing.Tunnel, a attention) phase {
	switch {
	case needsYou(t) && a == aware, asks(t) && a != expected: // the agent that asks has a person's attention
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

// subject is what a notice is about.
type subject int

const (
	nothing subject = iota
	needy
	down
	unstable
	subjects
)

// Update takes in a snapshot and returns the notices to show now. next is when to call Update next
// even if nothing changes; zero: never.
func (n *Notices) Update(s dbusapi.Snapshot, muted map[string]bool, of func(tunnel string) attention, now time.Time) (notices []Notice, next time.Time) {
	if !s.Running {
		return nil, time.Time{} // the daemon is gone: change nothing
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
		notices = append(notices, n.announce(about, dueNow)...)
		next = soonest(next, due)
	}
	return append(notices, n.closeGroups()...), next
}

// observe records the phase that a tunnel is in now.
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

// ended returns the notice about a tunnel whose episode has ended, if any.
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

// candidate is a tunnel that may need a notice.
type candidate struct {
	*episode
	tunnel listing.Tunnel
	due    time.Time
}

// news is the candidates for notices, by subject.
type news struct {
	list       [subjects][]candidate
	moreComing [subjects]bool // other tunnels may follow soon
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

// dueNow returns the candidates that are due now, and when the next one is due.
func (n *news) dueNow(about subject, now time.Time) (dueNow []candidate, next time.Time) {
	list := n.list[about]
	slices.SortStableFunc(list, func(a, b candidate) int { return a.due.Compare(b.due) })
	i := 0
	for i < len(list) && !list[i].due.After(now) {
		i++
	}
	if i < len(list) {
		next = list[i].due
	}
	if i == 0 {
		return nil, next
	}
	// Candidates that share a notice get it when the first has waited for the others.
	last := list[0].due.Add(groupWait)
	if last.After(now) && (n.moreComing[about] || i < len(list) && !next.After(last)) {
		return nil, last
	}
	return list[:i], next
}

// announce returns a notice for each of the tunnels, or one for all of them.
func (n *Notices) announce(about subject, list []candidate) []Notice {
	var notices []Notice
	many := len(list) > maxSingle || n.groups[about].open
	for _, c := range list {
		was := *c.episode
		c.announced, c.reason, c.unstable = about, c.tunnel.Reason, about == unstable
		notice := noticeOf(about, c)
		// An urgent notice is never part of a common one.
		if c.grouped = many && !notice.Urgent; !c.grouped {
			notices = append(notices, notice)
			continue
		}
		if was.announced != nothing && !was.grouped {
			notices = append(notices, Notice{Key: c.tunnel.Name})
		}
	}
	names := n.grouped(about)
	if !many || len(list) == 0 || len(names) == 0 {
		return notices
	}
	n.groups[about].open = true
	return append(notices, groupNotice(about, names))
}

// grouped returns the tunnels that share a notice, sorted.
func (n *Notices) grouped(about subject) []string {
	var names []string
	for name, e := range n.episodes {
		if e.grouped && e.announced == about {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// closeGroups closes the notices about several tunnels that have no tunnel left.
func (n *Notices) closeGroups() []Notice {
	var notices []Notice
	for about := range subjects {
		if g := n.groups[about]; g.open && len(n.grouped(about)) == 0 {
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
	// A status line also says what to do in a terminal; in a notice, a button does that.
	body := cmp.Or(r.why, sentence(t.Status))
	n := Notice{Key: t.Name, Title: t.Name + " needs you", Body: body, Lasting: true, Actions: actions(t.Name, r.verb, r.label)}
	switch {
	case r.alarm != "":
		n.Title, n.Urgent = t.Name+": "+r.alarm, true
	case t.State == tunnelfile.Failed:
		n.Title = t.Name + " has failed"
	}
	return n
}

// sentence returns a status line that begins with a capital letter.
func sentence(status string) string {
	_, size := utf8.DecodeRuneInString(status)
	return strings.ToUpper(status[:size]) + status[size:]
}

// groupNotice is the notice about several tunnels.
func groupNotice(about subject, names []string) Notice {
	title := several(len(names), map[subject]string{down: "down", unstable: "unstable"}[about])
	if about == needy {
		title = text.Count(len(names), "tunnel") + " waiting for you"
	}
	return Notice{Key: groupKey(about), Title: title, Body: listed(names, maxSingle), Lasting: true, Actions: []NoticeAction{{"status", "Show status"}}}
}

// listed returns names in a line: all of them, or the first and how many more.
func listed(names []string, most int) string {
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// several returns a sentence such as "2 tunnels are down".
func several(n int, how string) string {
	if n == 1 {
		return "1 tunnel is " + how
	}
	return text.Count(n, "tunnel") + " are " + how
}

// groupKey has a space, so that it is no tunnel's name.
func groupKey(about subject) string { return fmt.Sprint("several ", int(about)) }

// actions returns the buttons of a notice about a tunnel: this one and Mute.
func actions(name, verb, label string) []NoticeAction {
	return []NoticeAction{{key(verb, name), label}, {key("mute", name), "Mute"}}
}
