package worker

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Explanation lists every setting in force for a tunnel, and where each comes from. It is also
// a JSON format: members may be added, but never renamed or removed.
type Explanation struct {
	Name        string      `json:"name"`
	File        string      `json:"file"`
	DropIns     []string    `json:"drop_ins"`
	Destination string      `json:"destination"`
	HostName    string      `json:"host_name"`
	Port        int         `json:"port"`
	User        string      `json:"user"`
	Transport   string      `json:"transport"` // native or openssh
	Reason      string      `json:"reason"`    // why this transport
	NoSSH       bool        `json:"no_ssh"`    // there is no ssh program on this machine, so ssh_config(5) was not read
	Settings    []Explained `json:"settings"`
	Hops        []Hop       `json:"hops"` // of ProxyJump, the nearest first
}

// Hop is a host of ProxyJump.
type Hop struct {
	Host     string      `json:"host"` // as ProxyJump names it
	HostName string      `json:"host_name"`
	Port     int         `json:"port"`
	User     string      `json:"user"`
	Settings []Explained `json:"settings"`
}

// Explained is one setting in force. A keyword with several values has one Explained for each.
type Explained struct {
	Section  string `json:"section"` // Tunnel, SSH, Unit or Service
	Keyword  string `json:"keyword"`
	Value    string `json:"value"`
	Source   string `json:"source"`             // "file:line", "the destination", "ssh's default", "Holdfast's default", …
	Written  bool   `json:"written"`            // somebody wrote it
	Standing string `json:"standing,omitempty"` // for a keyword of ssh_config(5): a tunnelfile.Standing
	Note     string `json:"note,omitempty"`     // what happens to it, where that is unexpected
}

// Sources of settings that nobody wrote.
const (
	holdfastDefault = "Holdfast's default"
	sshDefault      = "ssh's default"
)

// notForTunnels is the text of tunnelfile.Irrelevant, for keywords that mean nothing to a tunnel.
const notForTunnels = "not about tunnels"

// Explain reads a tunnel file and resolves it with ssh -G. It contacts no server.
func Explain(ctx context.Context, path string, log *slog.Logger) (Explanation, error) {
	s, err := loadResolved(ctx, path, nil, log)
	if err != nil {
		return Explanation{}, err
	}
	t, r := s.tunnel, s.resolved
	e := Explanation{
		Name: t.Name, File: t.Path, DropIns: append([]string{}, t.DropIns...), Destination: t.Destination,
		HostName: r.HostName, Port: r.Port, User: r.User, Transport: string(r.Transport), Reason: r.Reason, NoSSH: r.NoSSH,
		Settings: []Explained{}, Hops: []Hop{},
	}
	for _, set := range t.InForce() {
		e.Settings = append(e.Settings, written(tunnelfile.SectionTunnel, set))
	}
	e.Settings = append(e.Settings, fromSSH(ctx, r, func(x *Explained) {
		if note := s.forwardNote(x.Keyword); note != "" {
			x.Note = note
		}
	})...)
	for _, set := range t.Unit {
		e.Settings = append(e.Settings, written(tunnelfile.SectionUnit, set))
	}
	for _, set := range t.Service {
		e.Settings = append(e.Settings, written(tunnelfile.SectionService, set))
	}
	for _, hop := range r.Hops() {
		e.Hops = append(e.Hops, Hop{Host: hop.Host(), HostName: hop.HostName, Port: hop.Port, User: hop.User,
			Settings: fromSSH(ctx, hop, func(x *Explained) {
				if r.Transport != tunnelfile.TransportNative && x.Standing != notForTunnels {
					x.Note = "" // ssh itself connects to this host
				}
			})})
	}
	return e, nil
}

// written explains a setting of the tunnel file, or the default for one that is not in it.
func written(section string, set tunnelfile.Setting) Explained {
	x := Explained{Section: section, Keyword: set.Key, Value: set.Value, Source: holdfastDefault}
	if set.Path != "" {
		x.Source, x.Written = set.Path+":"+strconv.Itoa(set.Line), true
	}
	return x
}

// fromSSH lists the settings in force for one host, from ssh_config(5) and [SSH]. adjust may
// change each.
func fromSSH(ctx context.Context, r *sshlink.Resolved, adjust func(*Explained)) []Explained {
	list := []Explained{}
	for _, s := range r.Explain(ctx) {
		x := Explained{tunnelfile.SectionSSH, s.Keyword, s.Value, s.Source, s.Written, string(s.Standing), s.Note}
		adjust(&x)
		list = append(list, x)
	}
	return list
}

// forwardNote says why a forward of ssh_config(5) is not served; "" if it is served, or if the
// keyword is not a forward.
func (s settings) forwardNote(keyword string) string {
	switch tunnelfile.ForwardKind(keyword) {
	case tunnelfile.LocalForward, tunnelfile.RemoteForward, tunnelfile.DynamicForward:
		switch {
		case len(s.tunnel.Forwards) > 0:
			return "not served: the tunnel file names its own forwards"
		case len(s.resolved.Forwards) == 0:
			return "not served: ClearAllForwardings=yes"
		}
	}
	return ""
}

// address is "user@host:port" for people.
func address(user, host string, port int) string {
	return user + "@" + net.JoinHostPort(host, strconv.Itoa(port))
}
