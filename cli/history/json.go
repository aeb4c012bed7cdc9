package history

import (
	"time"

	"github.com/holdfast/holdfast/cli/jsonout"
)

// reportJSON is the report for scripts; times are RFC 3339 and spans are in seconds. Members are added,
// never renamed or removed.
type reportJSON struct {
	Since         time.Time  `json:"since"` // the requested time, or when the journal begins
	Until         time.Time  `json:"until"`
	JournalBegins time.Time  `json:"journal_begins"`
	Tunnels       []pastJSON `json:"tunnels"`
}

type pastJSON struct {
	Name         string       `json:"name"`
	Availability *float64     `json:"availability"` // 0 to 1; null if it was not wanted up
	Up           float64      `json:"up"`
	Degraded     float64      `json:"degraded"` // part of up
	Down         float64      `json:"down"`
	Longest      float64      `json:"longest"`
	Outages      []outageJSON `json:"outages"`
}

type outageJSON struct {
	Began   time.Time  `json:"began"`
	Earlier bool       `json:"earlier"` // it began before since
	Ended   *time.Time `json:"ended"`   // null while it goes on
	Lasted  float64    `json:"lasted"`  // without the time in which the machine slept
	State   string     `json:"state"`
	Reason  string     `json:"reason"`
	Why     string     `json:"why"`
}

// JSON is the report for scripts.
func (r Report) JSON() any {
	p := r.period
	j := reportJSON{p.since.UTC(), p.now.UTC(), p.begins.UTC(), []pastJSON{}}
	for _, one := range r.pasts {
		t := pastJSON{
			Name: one.Name, Up: one.Up.Seconds(), Degraded: one.Degraded.Seconds(), Down: one.Down.Seconds(),
			Longest: one.longest().Seconds(), Outages: []outageJSON{},
		}
		if a, ok := one.availability(); ok {
			t.Availability = &a
		}
		for _, o := range one.Outages {
			t.Outages = append(t.Outages, outageJSON{o.Began.UTC(), o.Earlier, jsonout.TimeOf(o.Ended), o.Lasted.Seconds(), string(o.State), string(o.Why.reason), o.Why.text})
		}
		j.Tunnels = append(j.Tunnels, t)
	}
	return j
}
