package history

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/journalctl"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// second is the moment so many seconds after the epoch, on a machine that never slept.
func second(n float64) moment {
	d := time.Duration(n * float64(time.Second))
	return moment{epoch.Add(d), time.Hour + d, "one"}
}

// excuse is the reason in these tables' sentences: of a tunnel that is meant to be down.
func excuse(why string) fault.Reason {
	switch rule, _, _ := strings.Cut(why, "="); {
	case why == "this machine goes to sleep":
		return fault.Sleep
	case rule == "OnlyOn", rule == "NeverOn", rule == "Metered":
		return fault.Rule
	}
	return fault.None
}

func TestPastOf(t *testing.T) {
	worker := func(at float64, s tunnelfile.State, why string) event {
		return event{second(at), "web", workerState, s, cause{excuse(why), why}}
	}
	daemon := func(at float64, s tunnelfile.State, why string) event {
		return event{second(at), "web", daemonState, s, cause{excuse(why), why}}
	}
	heard := func(at float64, what eventKind, why string) event {
		return event{at: second(at), tunnel: "web", what: what, state: tunnelfile.Retrying, why: cause{text: why}}
	}
	slept := func(e event, seconds float64) event { // some of the time before it
		e.at.awake -= time.Duration(seconds * float64(time.Second))
		return e
	}
	inBoot := func(e event, boot string) event {
		e.at.boot = boot
		return e
	}
	started := []event{heard(0, unitStarting, ""), worker(1, tunnelfile.Connecting, "server"), worker(2, tunnelfile.Up, "1 forward")}
	type want struct{ began, ended, lasted float64 } // ended 0: it goes on
	for _, c := range []struct {
		name     string
		onDemand bool
		since    float64
		events   []event
		now      moment
		up, down float64
		outages  []want
		states   []tunnelfile.State
		whys     []string
	}{
		{name: "nothing", now: second(100)},
		{name: "up", events: started, now: second(100), up: 98},
		{
			name: "lost, tried at once, refused, back",
			events: append(started,
				heard(10, linkLost, "reset by peer"), worker(10, tunnelfile.Connecting, "server"),
				worker(11, tunnelfile.Retrying, "connection refused"), worker(13, tunnelfile.Connecting, "server"), worker(14, tunnelfile.Up, ""),
			),
			now: second(100), up: 8 + 86, down: 4, outages: []want{{10, 14, 4}}, states: []tunnelfile.State{tunnelfile.Connecting}, whys: []string{"reset by peer"},
		},
		{
			name:   "lost when another one stood, and later for another reason",
			events: append(started, heard(10, linkLost, "reset by peer"), worker(50, tunnelfile.Retrying, "timed out")),
			now:    second(100), up: 48, down: 50, outages: []want{{50, 0, 50}}, states: []tunnelfile.State{tunnelfile.Retrying}, whys: []string{"timed out"},
		},
		{
			name:   "an outage that goes on",
			events: append(started, worker(10, tunnelfile.Retrying, "connection refused")),
			now:    second(100), up: 8, down: 90, outages: []want{{10, 0, 90}}, states: []tunnelfile.State{tunnelfile.Retrying}, whys: []string{"connection refused"},
		},
		{
			name:   "down by a person",
			events: append(started, heard(10, unitStopping, ""), worker(10, tunnelfile.Stopping, ""), heard(11, programEnded, "status 1"), heard(11, unitStopped, ""), daemon(11, tunnelfile.Inactive, "")),
			now:    second(100), up: 8,
		},
		{
			name:   "down by a person ends an outage",
			events: append(started, worker(10, tunnelfile.Blocked, "a passphrase"), heard(20, unitStopping, "")),
			now:    second(100), up: 8, down: 10, outages: []want{{10, 20, 10}}, states: []tunnelfile.State{tunnelfile.Blocked}, whys: []string{"a passphrase"},
		},
		{
			name: "the program is killed, and hangs",
			events: append(started,
				heard(10, programEnded, "killed by signal 9"), daemon(10, tunnelfile.Retrying, "its program ended"), heard(15, unitStarting, ""), worker(16, tunnelfile.Up, ""),
				heard(20, programEnded, "killed by signal 9"), heard(20, unitFailed, "its program hung"), heard(25, unitStarting, ""), worker(26, tunnelfile.Up, ""),
			),
			now: second(100), up: 8 + 4 + 74, down: 12, outages: []want{{10, 16, 6}, {20, 26, 6}},
			states: []tunnelfile.State{tunnelfile.Retrying, tunnelfile.Retrying}, whys: []string{"killed by signal 9", "its program hung"},
		},
		{
			name:   "a start that fails counts from its beginning",
			events: []event{heard(0, unitStarting, ""), worker(3, tunnelfile.Retrying, "connection refused"), worker(5, tunnelfile.Up, "")},
			now:    second(100), up: 95, down: 5, outages: []want{{0, 5, 5}}, states: []tunnelfile.State{tunnelfile.Retrying}, whys: []string{"connection refused"},
		},
		{
			name:   "a start that takes too long counts likewise",
			events: []event{daemon(0, tunnelfile.Inactive, ""), daemon(1, tunnelfile.Offline, "no network"), heard(90, unitStarting, ""), worker(91, tunnelfile.Up, "")},
			now:    second(100), up: 9, down: 90, outages: []want{{1, 91, 90}}, states: []tunnelfile.State{tunnelfile.Offline}, whys: []string{"no network"},
		},
		{
			name:   "a network that comes right after the start",
			events: []event{daemon(0, tunnelfile.Inactive, ""), daemon(1, tunnelfile.Offline, "no network"), heard(9, unitStarting, ""), worker(10, tunnelfile.Up, "")},
			now:    second(100), up: 90,
		},
		{
			name:   "the same, and nothing was heard before",
			events: []event{daemon(0, tunnelfile.Offline, "no network"), daemon(0.1, tunnelfile.Connecting, ""), heard(0.1, unitStarting, ""), worker(10, tunnelfile.Up, "")},
			now:    second(100), up: 90,
		},
		{
			name: "on demand, and idle", onDemand: true,
			events: []event{
				daemon(0, tunnelfile.Listening, ""), heard(10, unitStarting, ""), worker(11, tunnelfile.Up, ""), worker(20, tunnelfile.Stopping, ""),
				daemon(20, tunnelfile.Listening, ""), daemon(30, tunnelfile.Offline, "no network"),
			},
			now: second(1000), up: 9,
		},
		{
			name: "no network, and the daemon knows why",
			events: append(started,
				worker(10, tunnelfile.Offline, "no network"), daemon(10.1, tunnelfile.Offline, "captive portal"), worker(40, tunnelfile.Connecting, ""), worker(41, tunnelfile.Up, ""),
			),
			now: second(100), up: 8 + 59, down: 31, outages: []want{{10, 41, 31}}, states: []tunnelfile.State{tunnelfile.Offline}, whys: []string{"captive portal"},
		},
		{
			name: "sleep", // 500 s of it
			events: append(started,
				worker(10, tunnelfile.Offline, "no network"), daemon(10.1, tunnelfile.Offline, "this machine goes to sleep"),
				slept(worker(520, tunnelfile.Connecting, ""), 500), slept(worker(521, tunnelfile.Up, ""), 500),
			),
			now: slept(event{at: second(600)}, 500).at, up: 8 + 79,
		},
		{
			name: "sleep that nobody told of, in an outage",
			events: append(started,
				worker(10, tunnelfile.Retrying, "refused"), slept(worker(520, tunnelfile.Connecting, ""), 500), slept(worker(521, tunnelfile.Up, ""), 500),
			),
			now: slept(event{at: second(600)}, 500).at, up: 8 + 79, down: 11, outages: []want{{10, 521, 11}}, states: []tunnelfile.State{tunnelfile.Retrying}, whys: []string{"refused"},
		},
		{
			name:   "its own rules",
			events: append(started, heard(10, unitStopping, ""), daemon(11, tunnelfile.Offline, "NeverOn=Hotel*: on 'Hotel 3' now")),
			now:    second(1000), up: 8,
		},
		{
			name: "power cut",
			events: append(started,
				event{at: second(50), what: machineOff},
				inBoot(heard(500, unitStarting, ""), "two"), inBoot(worker(501, tunnelfile.Up, ""), "two"),
			),
			now: inBoot(event{at: second(600)}, "two").at, up: 48 + 99,
		},
		{
			name: "the state from before", since: 100,
			events: append(started, worker(50, tunnelfile.Retrying, "refused"), worker(60, tunnelfile.Up, "")),
			now:    second(200), up: 100,
		},
		{
			name: "an outage from before", since: 100,
			events: append(started, worker(50, tunnelfile.Retrying, "refused"), worker(130, tunnelfile.Up, "")),
			now:    second(200), up: 70, down: 30, outages: []want{{100, 130, 30}}, states: []tunnelfile.State{tunnelfile.Retrying}, whys: []string{"refused"},
		},
		{
			name:   "degraded is up",
			events: append(started, worker(10, tunnelfile.Degraded, "a port is held"), worker(30, tunnelfile.Up, "")),
			now:    second(100), up: 98,
		},
		{
			name:   "others do not matter",
			events: append(started, event{at: second(10), tunnel: "db", what: workerState, state: tunnelfile.Retrying}),
			now:    second(100), up: 98,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := pastOf("web", c.onDemand, c.events, second(c.since).wall, c.now)
			if got.Up.Seconds() != c.up || got.Down.Seconds() != c.down || len(got.Outages) != len(c.outages) {
				t.Fatalf("%+v\nwant up %v, down %v, %d outages", got, c.up, c.down, len(c.outages))
			}
			for i, o := range got.Outages {
				w, ended := c.outages[i], time.Time{}
				if w.ended > 0 {
					ended = second(w.ended).wall
				}
				if !o.Began.Equal(second(w.began).wall) || !o.Ended.Equal(ended) || o.Lasted.Seconds() != w.lasted || o.State != c.states[i] || o.Why.text != c.whys[i] {
					t.Errorf("%+v, want %+v: %s: %s", o, w, c.states[i], c.whys[i])
				}
				if o.Earlier != (c.since > 0) {
					t.Errorf("began earlier: %v", o.Earlier)
				}
			}
		})
	}
}

// TestEventOf: what journalctl -o json prints, as it printed it.
func TestEventOf(t *testing.T) {
	const fields = `"__REALTIME_TIMESTAMP": "1767323045000000", "__MONOTONIC_TIMESTAMP": "3600000000", "_BOOT_ID": "one", `
	worker := `"_SYSTEMD_USER_UNIT": "holdfast-tunnel@web.service", "_SYSTEMD_UNIT": "user@1000.service", `
	systemd := `"_SYSTEMD_USER_UNIT": "init.scope", "USER_UNIT": "holdfast-tunnel@web.service", `
	for entry, want := range map[string]event{
		systemd + `"MESSAGE_ID": "7d4958e842da4a758f6c1cdc7b36dcc5", "JOB_TYPE": "start", "MESSAGE": "Starting"`:                         {what: unitStarting},
		systemd + `"MESSAGE_ID": "de5b426a63be47a7b6ac3eaac82e2f6f", "JOB_TYPE": "stop", "MESSAGE": "Stopping"`:                          {what: unitStopping},
		systemd + `"MESSAGE_ID": "9d1aaa27d60140bd96365438aad20286", "JOB_TYPE": "stop", "MESSAGE": "Stopped"`:                           {what: unitStopped},
		systemd + `"MESSAGE_ID": "98e322203f7a4ed290d09fe03c09fe15", "COMMAND": "ExecStart", "EXIT_CODE": "killed", "EXIT_STATUS": "9"`:  {what: programEnded, state: tunnelfile.Retrying, why: cause{fault.Crashed, "its program was killed by signal 9"}},
		systemd + `"MESSAGE_ID": "98e322203f7a4ed290d09fe03c09fe15", "COMMAND": "ExecStart", "EXIT_CODE": "exited", "EXIT_STATUS": "77"`: {what: programEnded, state: tunnelfile.Blocked, why: cause{fault.Denied, "the server refused every way to authenticate"}},
		systemd + `"MESSAGE_ID": "98e322203f7a4ed290d09fe03c09fe15", "COMMAND": "ExecStart", "EXIT_CODE": "exited", "EXIT_STATUS": "0"`:  {what: programEnded, state: tunnelfile.Inactive},
		systemd + `"MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c", "UNIT_RESULT": "watchdog"`:                                          {what: unitFailed, why: cause{fault.Crashed, "its program hung"}},

		worker + `"MESSAGE_ID": "x", "HOLDFAST_EVENT": "state", "HOLDFAST_STATE": "retrying", "HOLDFAST_REASON": "unreachable", "HOLDFAST_STATUS": "in 8s, x", "MESSAGE": "?"`:                       {what: workerState, state: tunnelfile.Retrying, why: cause{fault.Unreachable, "x"}},
		worker + `"MESSAGE_ID": "x", "HOLDFAST_EVENT": "lost", "HOLDFAST_REASON": "lost", "HOLDFAST_STATUS": "in 8s, x"`:                                                                             {what: linkLost, why: cause{fault.Lost, "in 8s, x"}},
		`"_SYSTEMD_USER_UNIT": "holdfastd.service", "HOLDFAST_EVENT": "state", "HOLDFAST_TUNNEL": "web", "HOLDFAST_STATE": "offline", "HOLDFAST_REASON": "network", "HOLDFAST_STATUS": "no network"`: {what: daemonState, state: tunnelfile.Offline, why: cause{fault.Network, "no network"}},

		`"_SYSTEMD_USER_UNIT": "other.service", "HOLDFAST_EVENT": "state", "HOLDFAST_TUNNEL": "web", "HOLDFAST_STATE": "up"`: {}, // a stranger's
		worker + `"HOLDFAST_EVENT": "dance", "HOLDFAST_STATE": "up"`:                                                         {}, // of a later version
		systemd + `"MESSAGE_ID": "9d1aaa27d60140bd96365438aad20286", "JOB_TYPE": "restart", "MESSAGE": "Stopped"`:            {},
		systemd + `"MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c", "UNIT_RESULT": "signal"`:                                {},
		`"USER_UNIT": "holdfast-tunnel@web.socket", "MESSAGE_ID": "de5b426a63be47a7b6ac3eaac82e2f6f", "JOB_TYPE": "stop"`:    {},
	} {
		var said map[string]string
		if err := json.Unmarshal([]byte("{"+fields+entry+"}"), &said); err != nil {
			t.Fatal(err, entry)
		}
		var export strings.Builder
		for name, value := range said {
			fmt.Fprintf(&export, "%s=%s\n", name, value)
		}
		var e journalctl.Entry
		if err := journalctl.Parse(strings.NewReader(export.String()+"\n"), func(got journalctl.Entry) error { e = got; return nil }); err != nil {
			t.Fatal(err)
		}
		none := reflect.DeepEqual(want, event{})
		got, ok := eventOf(e)
		if !none {
			want.tunnel, want.at = "web", moment{time.UnixMicro(1767323045000000), time.Hour, "one"}
		}
		if ok == none || ok && got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", entry, got, ok, want)
		}
	}
}

// TestPercent: what is not whole never looks so.
func TestPercent(t *testing.T) {
	for part, want := range map[float64]string{
		1: "100.00 %", 0: "0.00 %", 0.5: "50.00 %", 0.98765: "98.76 %", 0.99999: "99.999 %", 0.9999999: "99.99999 %", 1 - 1e-9: "99.99999 %", 0.9999: "99.99 %",
	} {
		if got := percent(part); got != want {
			t.Errorf("%v: %s, want %s", part, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0.4 s", 59 * time.Second: "59 s", 60 * time.Second: "1 min", 125 * time.Second: "2 min 5 s",
		3 * time.Hour: "3 h", 47*time.Hour + 90*time.Second: "47 h 1 min", 76 * time.Hour: "3 days 4 h",
	} {
		if got := text.Span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
