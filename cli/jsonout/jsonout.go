// Package jsonout has the Go types of what --json prints, and makes them from tunnels. Their schemas
// are in docs/json.
package jsonout

import (
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// What each verb prints with --json. Members are added, never renamed or removed. Times are RFC 3339
// or null; spans are in seconds.
//
//	list, add, set, edit, up, down, …    [Tunnel…]
//	status                               Status; with --watch one per line
//	show                                 [Shown…]
//	show --changes                       [Change…]
//	check                                Check
//	explain                              worker.Explanation, printed by holdfast-tunnel
//	import                               Import
//	export                               Export
//	history                              what Report.JSON of package history returns
//	top                                  [top.Row…], one list per line
//	version                              Version

// Status is what status prints.
type Status struct {
	Daemon  Daemon   `json:"daemon"`
	Tunnels []Tunnel `json:"tunnels"`
}

// Daemon is the daemon's part of Status.
type Daemon struct {
	Running       bool      `json:"running"`
	Version       string    `json:"version"`
	Network       string    `json:"network"`
	NetworkSource string    `json:"network_source"`
	Problems      []Problem `json:"problems"`
}

// Problem is a problem in a tunnel file.
type Problem struct {
	Path    string `json:"path"`
	Line    int    `json:"line"` // 0 if no single line is wrong
	Key     string `json:"key"`
	Message string `json:"message"`
}

// Tunnel is one tunnel.
type Tunnel struct {
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Destination string      `json:"destination"`
	Start       string      `json:"start"`
	Tags        []string    `json:"tags"`
	State       string      `json:"state"`
	Reason      string      `json:"reason"` // why it is not well; "" if it is well
	Status      string      `json:"status"`
	StateSince  *time.Time  `json:"state_since"`
	UpSince     *time.Time  `json:"up_since"`
	NextTry     *time.Time  `json:"next_try"`
	Unit        string      `json:"unit"`
	Worker      string      `json:"worker_version"` // of the worker that runs; "" if none runs
	File        string      `json:"file"`
	Forwards    []Forward   `json:"forwards"`
	Statistics  *Statistics `json:"statistics,omitempty"` // only in status, while it runs
}

// Forward is one forward of a tunnel.
type Forward struct {
	Kind    string `json:"kind"`
	Listen  string `json:"listen"`
	Target  string `json:"target"`
	State   string `json:"state"`
	Message string `json:"message"`
}

// Statistics are the counters of a tunnel that runs.
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

// Change is a difference that show --changes prints.
type Change struct {
	Section string `json:"section"` // "" means the file itself
	Key     string `json:"key"`
	Old     string `json:"old"` // several values are separated by newlines
	New     string `json:"new"`
	Effect  string `json:"effect"` // at-once, added, dropped, target, redial, may-stop, restarts
}

// Shown is a tunnel that show prints.
type Shown struct {
	Name  string `json:"name"`
	Files []File `json:"files"` // the tunnel file, then its drop-ins in order
}

// File is a file of a tunnel.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Check is what check prints.
type Check struct {
	Problems int                  `json:"problems"`
	Hints    int                  `json:"hints"`
	Machine  []tunnelfile.Finding `json:"machine"` // if names are given, without the good findings
	Tunnels  []TunnelCheck        `json:"tunnels"`
}

// TunnelCheck is the findings about one tunnel, or about the machine.
type TunnelCheck struct {
	Name     string               `json:"name"`
	Findings []tunnelfile.Finding `json:"findings"`
}

// Export is what export prints.
type Export struct {
	Name   string   `json:"name"`
	Format string   `json:"format"` // ssh, autossh, systemd, tunnel
	Text   string   `json:"text"`
	Notes  []string `json:"notes"` // what the tunnel does and the text does not
}

// Import is what import prints.
type Import struct {
	Looked   []string   `json:"looked"` // files and globs
	Tunnels  []Imported `json:"tunnels"`
	Problems []Problem  `json:"problems"` // what cannot be a tunnel
	Passed   []Problem  `json:"passed"`   // what mentions ssh and is not a tunnel
}

// Imported is a tunnel that import found.
type Imported struct {
	Name           string   `json:"name"`
	Text           string   `json:"text"`
	Start          string   `json:"start"` // why Start= has its value
	Places         []string `json:"places"`
	StaysInConfig  []string `json:"stays_in_ssh_config"`
	NotCarriedOver []string `json:"not_carried_over"`
	Afterwards     []string `json:"afterwards"`
	Result         string   `json:"result"` // new, exists, written, failed
	Message        string   `json:"message"`
}

// Version is what version prints.
type Version struct {
	Version string `json:"version"`
	Daemon  string `json:"daemon"` // "" if none answers

	Tunnels []TunnelVersion `json:"tunnels"` // those that are running
}

// TunnelVersion is the version of a tunnel's worker.
type TunnelVersion struct {
	Name   string `json:"name"`
	Worker string `json:"worker_version"`
}

// VersionsOf returns the versions of the workers that are running.
func VersionsOf(tunnels []listing.Tunnel) []TunnelVersion {
	list := []TunnelVersion{}
	for _, t := range tunnels {
		if t.WorkerVersion != "" {
			list = append(list, TunnelVersion{t.Name, t.WorkerVersion})
		}
	}
	return list
}

// ProblemsOf converts problems of tunnel files.
func ProblemsOf(problems []tunnelfile.Problem) []Problem {
	list := []Problem{}
	for _, p := range problems {
		list = append(list, Problem(p))
	}
	return list
}

// DaemonOf converts the daemon's part of a snapshot.
func DaemonOf(s dbusapi.Snapshot) Daemon {
	return Daemon{
		Running: s.Running, Version: s.Global.Version, Network: s.Global.Network,
		NetworkSource: s.Global.NetworkSource, Problems: ProblemsOf(s.Global.Problems),
	}
}

// TunnelsOf converts tunnels.
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
		StateSince: TimeOf(t.StateSince), UpSince: TimeOf(t.UpSince), NextTry: TimeOf(t.NextTry),
		Unit: t.Unit, Worker: t.WorkerVersion, File: t.FilePath, Forwards: []Forward{},
	}
	for _, f := range t.Forwards {
		j.Forwards = append(j.Forwards, Forward{string(f.Kind), f.Listen, f.Target, string(f.State), f.Message})
	}
	return j
}

// ChangesOf converts changes.
func ChangesOf(changes []tunnelfile.Change) []Change {
	list := make([]Change, len(changes))
	for i, c := range changes {
		list[i] = Change{c.Section, c.Key, c.Old, c.New, string(c.Effect)}
	}
	return list
}

// TimeOf converts a time; the zero time is null.
func TimeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// StatisticsOf converts a tunnel's counters.
func StatisticsOf(s dbusapi.Statistics) *Statistics {
	return &Statistics{
		s.BytesSent, s.BytesReceived, s.ChannelsOpen, s.ChannelsTotal, s.Held, s.RoundTripTime.Seconds(), s.Reconnects,
		s.Connections, s.ConnectionsWanted,
		s.UpTime.Seconds(), s.Transport, s.Peer, s.KeyExchange, s.Cipher, s.HostKey,
	}
}
