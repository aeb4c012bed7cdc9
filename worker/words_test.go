package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
	"github.com/holdfast/holdfast/worker/pool"
)

// TestStatusText is the StatusText of each thing that can be wrong, with its Reason.
func TestStatusText(t *testing.T) {
	says := func(s tunnelfile.State, r fault.Reason, text string) keeper.Status {
		return keeper.Status{State: s, Reason: r, Text: text}
	}
	up := keeper.Status{State: tunnelfile.Up}
	connected := keeper.Status{State: tunnelfile.Connecting, Text: "logged in, the forwards follow", Link: linkOf{}}
	forward := func(s tunnelfile.State, r fault.Reason, message string, failures uint64) tunnelfile.ForwardReport {
		return tunnelfile.ForwardReport{Kind: tunnelfile.LocalForward, Text: "1 h:1", Listen: "localhost:1", State: s, Reason: r, Message: message, Failures: failures}
	}
	retrying := says(tunnelfile.Retrying, fault.Unreachable, "in 8s, refused")
	retrying.Err, retrying.NextTry = errors.New("refused"), time.Now()
	for _, c := range []struct {
		keepers  []keeper.Status
		forwards []tunnelfile.ForwardReport
		want     string
	}{
		{[]keeper.Status{up}, []tunnelfile.ForwardReport{forward(tunnelfile.Up, "", "", 0)}, "up: 1 forward"},
		{[]keeper.Status{retrying}, nil, "retrying [unreachable]: in 8s, refused"},
		{[]keeper.Status{says(tunnelfile.Retrying, fault.Lost, "in 1s, x")}, nil, "retrying [lost]: in 1s, x"},
		{[]keeper.Status{says(tunnelfile.Retrying, fault.TurnedAway, "in 2s, x")}, nil, "retrying [turned-away]: in 2s, x"},
		{[]keeper.Status{says(tunnelfile.Offline, fault.Network, "no network")}, nil, "offline [network]: no network"},
		{[]keeper.Status{says(tunnelfile.Blocked, fault.HostKeyChanged, "x")}, nil, "blocked [host-key-changed]: x"},
		{[]keeper.Status{says(tunnelfile.Degraded, fault.Lost, "x")}, nil, "degraded [lost]: x"},
		{[]keeper.Status{up, retrying}, nil, "degraded [connections]: 1 of 2 connections, in 8s, refused"},
		{[]keeper.Status{up}, []tunnelfile.ForwardReport{forward(tunnelfile.Degraded, fault.RemoteListen, "held", 0)}, "degraded [remote-listen]: LocalForward 1 h:1: held"},
		{[]keeper.Status{up}, []tunnelfile.ForwardReport{forward(tunnelfile.Degraded, fault.Listen, "in use", 0)}, "degraded [listen]: LocalForward 1 h:1: in use"},
		{[]keeper.Status{up}, []tunnelfile.ForwardReport{forward(tunnelfile.Degraded, fault.Target, "h:1 refuses connections", 0)}, "degraded [target]: LocalForward 1 h:1: h:1 refuses connections"},
		{[]keeper.Status{up}, []tunnelfile.ForwardReport{forward(tunnelfile.Up, fault.Target, "h:1 refuses connections, 3 times", 3)}, "up: 1 forward; LocalForward localhost:1: h:1 refuses connections, 3 times"},
		{[]keeper.Status{connected}, []tunnelfile.ForwardReport{forward(tunnelfile.Degraded, fault.SlowAnswer, "no answer yet", 0)}, "degraded [slow-answer]: LocalForward 1 h:1: no answer yet"},
		{[]keeper.Status{connected}, []tunnelfile.ForwardReport{forward(tunnelfile.Connecting, "", "", 0)}, "connecting: logged in, the forwards follow"},
	} {
		if got := describe(pool.Join(c.keepers), c.forwards, 0).String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
