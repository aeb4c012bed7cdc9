// Package jsonout is what --json prints: the shapes, and how a tunnel comes into them. docs/json has
// their schemas.
package jsonout

import (
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// The shapes of --json. Members are added, never renamed or removed; times are RFC 3339
// or null, spans are in seconds.
//
//	list, add, set, edit, up, down, …                    [tunnelJSON…]
//	status                                               statusJSON (with --watch one to a line)
//	show                                                 [shownJSON…]
//	show --changes                                       [changeJSON…]
//	check                                                checkJSON
//	explain                                              worker.Explanation, from holdfast-tunnel
//	import                                               importJSON
//	export                                               exportJSON
//	history                                              history.Report
//	top                                                  [top.Row…], one list to a line
//	version                                              versionJSON

type Status struct {
	Daemon  Daemon   `json:"daemon"`
	Tunnels []Tunnel `json:"tunnels"`
}

type Daemon struct {
	Running       bool      `json:"running"`
	Version       string    `json:"version"`
	Network       string    `json:"network"`
	NetworkSource string    `json:"network_source"`
	Problems      []Problem `json:"problems"`
}

type Problem struct {
	Path    string `json:"path"`
	Line    int    `json:"line"` // 0 where no single line is to blame
	Key     string `json:"key"`
	Message string `json:"message"`
}

type Tunnel struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Destination string      `json:"destination"`
	Start       string      `json:"start"`
	Tags        []string    `json:"tags"`
	State       string      `json:"state"`
	Reason      string      `json:"reason"` // why it is not well; "" when it is
	Status      string      `json:"status"`
	StateSince  *time.Time  `json:"state_since"`
	UpSince     *time.Time  `json:"up_since"`
	NextTry     *time.Time  `json:"next_try"`
	Unit        string      `json:"unit"`
	Worker      string      `json:"worker_version"` // of the program that runs; "" when none does
	File        string      `json:"file"`
	Forwards    []Forward   `json:"forwards"`
	Statistics  *Statistics `json:"statistics,omitempty"` // of status, while it runs
}

type Forward struct {
	Kind    string `json:"kind"`
	Listen  string `json:"listen"`
	Target  string `json:"target"`
	State   string `json:"state"`
	Message string `json:"message"`
}

type Statistics struct {
	BytesSent     uint64  `json:"bytes_sent"`
	BytesReceived uint64  `json:"bytes_received"`
	ChannelsOpen  int64   `json:"channels_open"`
	ChannelsTotal uint64  `json:"channels_total"`
	Held          int64   `json:"held"`
	RoundTrip     float64 `json:"round_trip"`
	Reconnects    uint64  `json:"reconnects"`

	Connections       uint64 `json:"connections"`
	ConnectionsWanted uint64 `json:"connections_wanted"`

	UpTime      float64 `json:"up_time"`
	Transport   string  `json:"transport"`
	Peer        string  `json:"peer"`
	KeyExchange string  `json:"key_exchange"`
	Cipher      string  `json:"cipher"`
	HostKey     string  `json:"host_key"`
}

type Change struct {
	Section string `json:"section"` // empty: the file itself
	Key     string `json:"key"`
	Old     string `json:"old"` // several values have a newline between them
	New     string `json:"new"`
	Effect  string `json:"effect"` // at-once, added, dropped, target, redial, may-stop, restarts
}

type Shown struct {
	Name  string `json:"name"`
	Files []File `json:"files"` // its own, then its drop-ins in their order
}

type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

type Check struct {
	Problems int                  `json:"problems"`
	Hints    int                  `json:"hints"`
	Machine  []tunnelfile.Finding `json:"machine"` // with names only what is not well
	Tunnels  []TunnelCheck        `json:"tunnels"`
}

type TunnelCheck struct {
	Name     string               `json:"name"`
	Findings []tunnelfile.Finding `json:"findings"`
}

type Export struct {
	Name   string   `json:"name"`
	Format string   `json:"format"` // ssh, autossh, systemd, tunnel
	Text   string   `json:"text"`
	Notes  []string `json:"notes"` // what the tunnel does and the text does not
}

type Import struct {
	Looked   []string   `json:"looked"` // files and globs
	Tunnels  []Imported `json:"tunnels"`
	Problems []Problem  `json:"problems"` // what was found and cannot be a tunnel
	Passed   []Problem  `json:"passed"`   // what mentions ssh and is no tunnel
}

type Imported struct {
	Name           string   `json:"name"`
	Text           string   `json:"text"`
	Start          string   `json:"start"` // why it starts as it does
	Places         []string `json:"places"`
	StaysInConfig  []string `json:"stays_in_ssh_config"`
	NotCarriedOver []string `json:"not_carried_over"`
	Afterwards     []string `json:"afterwards"`
	Result         string   `json:"result"` // new, exists, written, failed
	Message        string   `json:"message"`
}

type Version struct {
	Version string `json:"version"`
	Daemon  string `json:"daemon"` // empty when none answers

	Tunnels []TunnelVersion `json:"tunnels"` // those that run
}

type TunnelVersion struct {
	Name   string `json:"name"`
	Worker string `json:"worker_version"`
}

// VersionsOf are the versions of the programs that run.
func VersionsOf(tunnels []listing.Tunnel) []TunnelVersion {
	list := []TunnelVersion{}
	for _, t := range tunnels {
		if t.WorkerVersion != "" {
			list = append(list, TunnelVersion{t.Name, t.WorkerVersion})
		}
	}
	return list
}

func ProblemsOf(problems []tunnelfile.Problem) []Problem {
	list := []Problem{}
	for _, p := range problems {
		list = append(list, Problem(p))
	}
	return list
}

func DaemonOf(s dbusapi.Snapshot) Daemon {
	d := Daemon{
		Running: s.Running, Version: s.Global.Version, Network: s.Global.Network,
		NetworkSource: s.Global.NetworkSource, Problems: ProblemsOf(s.Global.Problems),
	}
	return d
}

func TunnelsOf(tunnels []listing.Tunnel) []Tunnel {
	list := make([]Tunnel, len(tunnels))
	for i, t := range tunnels {
		list[i] = tunnelOf(t)
	}
	return list
}

func tunnelOf(t listing.Tunnel) Tunnel {
	j := Tunnel{
		Name: t.Name, Description: t.Description, Destination: t.Destination, Start: string(t.StartMode), Tags: append([]string{}, t.Tags...),
		State: string(t.State), Reason: string(t.Reason), Status: t.Status,
		StateSince: timeOf(t.StateSince), UpSince: timeOf(t.UpSince), NextTry: timeOf(t.NextTry),
		Unit: t.Unit, Worker: t.WorkerVersion, File: t.FilePath, Forwards: []Forward{},
	}
	for _, f := range t.Forwards {
		j.Forwards = append(j.Forwards, Forward{string(f.Kind), f.Listen, f.Target, string(f.State), f.Message})
	}
	return j
}

func ChangesOf(changes []tunnelfile.Change) []Change {
	list := make([]Change, len(changes))
	for i, c := range changes {
		list[i] = Change{c.Section, c.Key, c.Old, c.New, string(c.Effect)}
	}
	return list
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func StatisticsOf(s dbusapi.Statistics) *Statistics {
	return &Statistics{
		s.BytesSent, s.BytesReceived, s.ChannelsOpen, s.ChannelsTotal, s.Held, s.RoundTripTime.Seconds(), s.Reconnects,
		s.Connections, s.ConnectionsWanted,
		s.UpTime.Seconds(), s.Transport, s.Peer, s.KeyExchange, s.Cipher, s.HostKey,
	}
}
