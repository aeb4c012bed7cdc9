package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// linkOf is a link that is nothing but there.
type linkOf struct{ keeper.Link }

func TestJoin(t *testing.T) {
	reset := errors.New("connection reset by peer")
	a, b, at := linkOf{}, linkOf{}, time.Unix(1000, 0)
	up := keeper.Status{State: tunnelfile.Up, Link: &a, UpSince: at.Add(time.Minute), RTT: time.Millisecond, Reconnects: 2}
	older := keeper.Status{State: tunnelfile.Up, Link: &b, UpSince: at, Reconnects: 1}
	starting := keeper.Status{State: tunnelfile.Connecting, Text: "host:22"}
	again := keeper.Status{State: tunnelfile.Connecting, Text: "host:22", Err: reset}
	waits := keeper.Status{State: tunnelfile.Retrying, Text: "in 8s, connection reset by peer", Err: reset, NextTry: at}
	silent := keeper.Status{State: tunnelfile.Degraded, Text: "the server does not answer, connecting anew", Link: &a, UpSince: at}
	blocked := keeper.Status{State: tunnelfile.Blocked, Text: "needs a password", Err: errors.New("needs a password")}
	offline := keeper.Status{State: tunnelfile.Offline, Text: "no network"}
	kept := keeper.Status{State: tunnelfile.Offline, Text: "no network, the connection is kept in case it comes back soon", Link: &a, UpSince: at}
	type all = []keeper.Status
	for _, c := range []struct {
		what string
		all  all
		well int
		link keeper.Link
		want string // with one forward that is well
	}{
		{"one, as it is", all{up}, 1, &a, "up: 1 forward"},
		{"one that waits", all{waits}, 0, nil, "retrying: in 8s, connection reset by peer"},
		{"all up", all{up, older, up}, 3, &a, "up: 1 forward, 3 connections"},
		{"the others follow", all{up, starting, starting}, 1, &a, "up: 1 forward, 1 of 3 connections so far"},
		{"nothing heard of one", all{up, {}}, 1, &a, "up: 1 forward, 1 of 2 connections so far"},
		{"one lost", all{up, again, up}, 2, &a, "degraded [connections]: 2 of 3 connections, connection reset by peer"},
		{"the first lost", all{waits, older, up}, 2, &b, "degraded [connections]: 2 of 3 connections, in 8s, connection reset by peer"},
		{"one silent", all{older, silent}, 1, &b, "degraded [connections]: 1 of 2 connections, the server does not answer, connecting anew"},
		{"the first silent", all{silent, older}, 1, &b, "degraded [connections]: 1 of 2 connections, the server does not answer, connecting anew"},
		{"all silent", all{silent, silent}, 0, &a, "degraded: the server does not answer, connecting anew"},
		{"one blocked", all{up, blocked, starting}, 1, &a, "degraded [connections]: 1 of 3 connections, needs a password"},
		{"the first blocked, and none up", all{blocked, waits}, 0, nil, "blocked: needs a password"},
		{"all lost", all{waits, again}, 0, nil, "retrying: in 8s, connection reset by peer"},
		{"no network", all{offline, offline}, 0, nil, "offline: no network"},
		{"no network, one kept", all{offline, kept}, 0, &a, "offline: no network, the connection is kept in case it comes back soon"},
	} {
		j := pool.Join(c.all)
		got := describe(j, []tunnelfile.ForwardReport{{State: tunnelfile.Up}}, 0).String()
		if got != c.want || j.Up != c.well || j.Wanted != len(c.all) || j.Link != c.link {
			t.Errorf("%s: %q, %d of %d well", c.what, got, j.Up, j.Wanted)
		}
	}
	refused := pool.Join(all{up})
	refused.Refused = reset
	if got := describe(refused, []tunnelfile.ForwardReport{{State: tunnelfile.Up}}, 0).String(); got != "up: 1 forward, 1 connection, no further one to be had" {
		t.Error(got)
	}
	j := pool.Join(all{up, waits, older})
	if !j.UpSince.Equal(at) || j.Reconnects != 3 || j.RTT != time.Millisecond || !j.NextTry.Equal(at) || j.Err != reset {
		t.Errorf("summed up to %+v", j)
	}
}
