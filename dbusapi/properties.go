package dbusapi

import (
	"cmp"
	"fmt"
	"reflect"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// properties is the one place where a tunnel becomes D-Bus values.
func properties(t listing.Tunnel) map[string]dbus.Variant {
	return variants(map[string]any{
		"Name":           t.Name,
		"Description":    t.Description,
		"Destination":    t.Destination,
		"FilePath":       t.FilePath,
		"Text":           t.Text,
		"Unit":           t.Unit,
		"StartMode":      string(t.StartMode),
		"Tags":           list(t.Tags),
		"State":          string(t.State),
		"Reason":         string(t.Reason),
		"Status":         t.Status,
		"WorkerVersion":  t.WorkerVersion,
		"StateSince":     micros(t.StateSince),
		"UpSince":        micros(t.UpSince),
		"NextTry":        micros(t.NextTry),
		"LocalForward":   list(t.LocalForward),
		"RemoteForward":  list(t.RemoteForward),
		"DynamicForward": list(t.DynamicForward),
		"Forwards":       forwardRows(t.Forwards),
	})
}

// tunnelOf is the inverse of properties, but for what the bus does not carry of a
// forward. With some of the properties it changes those of t and leaves the rest.
func tunnelOf(t listing.Tunnel, from map[string]dbus.Variant) (listing.Tunnel, error) {
	r := reader{from: from}
	store(&r, "Name", &t.Name)
	store(&r, "Description", &t.Description)
	store(&r, "Destination", &t.Destination)
	store(&r, "FilePath", &t.FilePath)
	store(&r, "Text", &t.Text)
	store(&r, "Unit", &t.Unit)
	store(&r, "StartMode", (*string)(&t.StartMode))
	store(&r, "Tags", &t.Tags)
	store(&r, "State", (*string)(&t.State))
	store(&r, "Reason", (*string)(&t.Reason))
	store(&r, "Status", &t.Status)
	store(&r, "WorkerVersion", &t.WorkerVersion)
	storeTime(&r, "StateSince", &t.StateSince)
	storeTime(&r, "UpSince", &t.UpSince)
	storeTime(&r, "NextTry", &t.NextTry)
	store(&r, "LocalForward", &t.LocalForward)
	store(&r, "RemoteForward", &t.RemoteForward)
	store(&r, "DynamicForward", &t.DynamicForward)
	var rows []forwardRow
	if store(&r, "Forwards", &rows) {
		t.Forwards = forwardsOf(rows)
	}
	return t, r.err
}

// globalProperties is the one place where the manager's own properties become D-Bus values.
func globalProperties(g listing.Global) map[string]dbus.Variant {
	return variants(map[string]any{
		"Version":       g.Version,
		"Network":       g.Network,
		"NetworkSource": g.NetworkSource,
		"Problems":      problemRows(g.Problems),
	})
}

// globalOf is the inverse of globalProperties; it changes of g what is given.
func globalOf(g listing.Global, from map[string]dbus.Variant) (listing.Global, error) {
	r := reader{from: from}
	store(&r, "Version", &g.Version)
	store(&r, "Network", &g.Network)
	store(&r, "NetworkSource", &g.NetworkSource)
	var rows []problemRow
	if store(&r, "Problems", &rows) {
		g.Problems = problemsOf(rows)
	}
	return g, r.err
}

// statistics is what a tunnel counted as D-Bus values. Times are in µs.
func statistics(r tunnelfile.Report, now time.Time) map[string]dbus.Variant {
	var up time.Duration
	if !r.UpSince.IsZero() {
		up = max(now.Sub(r.UpSince), 0)
	}
	return variants(map[string]any{
		"BytesSent":     r.BytesSent,
		"BytesReceived": r.BytesReceived,
		"ChannelsOpen":  r.ChannelsOpen,
		"ChannelsTotal": r.ChannelsTotal,
		"Held":          r.Held,
		"RoundTripTime": uint64(max(r.RTT, 0).Microseconds()),
		"Reconnects":    r.Reconnects,

		"Connections":       uint64(max(r.Connections, 0)),
		"ConnectionsWanted": uint64(max(r.ConnectionsWanted, 0)),

		"UpTime":      uint64(up.Microseconds()),
		"Transport":   string(r.Transport),
		"Peer":        r.Peer,
		"KeyExchange": r.Kex,
		"Cipher":      r.Cipher,
		"HostKey":     r.HostKey,

		"NotHandedOver": r.NotHandedOver,

		"Forwards": forwardCounts(r.Forwards),
	})
}

// Statistics is what a tunnel counted, as the bus tells it.
type Statistics struct {
	BytesSent, BytesReceived uint64
	ChannelsOpen             int64
	ChannelsTotal            uint64
	Held                     int64 // local connections that wait for the SSH connection
	RoundTripTime            time.Duration
	Reconnects               uint64
	Connections              uint64 // SSH connections that are up
	ConnectionsWanted        uint64
	UpTime                   time.Duration
	Transport                string // native or openssh
	Peer                     string
	KeyExchange, Cipher      string
	HostKey                  string // type and SHA-256 fingerprint
	NotHandedOver            string // why the last rolling restart failed
	Forwards                 []ForwardStatistics
}

// ForwardStatistics is one forward's part of Statistics; on the bus (sssxttt).
type ForwardStatistics struct {
	Kind, Listen, Target     string
	ChannelsOpen             int64
	ChannelsTotal            uint64
	BytesSent, BytesReceived uint64
}

func forwardCounts(fs []tunnelfile.ForwardReport) []ForwardStatistics {
	counts := make([]ForwardStatistics, len(fs))
	for i, f := range fs {
		counts[i] = ForwardStatistics{string(f.Kind), f.Listen, f.Target, f.ChannelsOpen, f.ChannelsTotal, f.BytesSent, f.BytesReceived}
	}
	return counts
}

// Empty says whether there is nothing to tell: the tunnel does not run.
func (s Statistics) Empty() bool {
	return len(s.Forwards) == 0 && reflect.DeepEqual(s, Statistics{Forwards: s.Forwards})
}

// statisticsOf is the inverse of statistics.
func statisticsOf(from map[string]dbus.Variant) (Statistics, error) {
	var s Statistics
	var rtt, up uint64
	r := reader{from: from}
	store(&r, "BytesSent", &s.BytesSent)
	store(&r, "BytesReceived", &s.BytesReceived)
	store(&r, "ChannelsOpen", &s.ChannelsOpen)
	store(&r, "ChannelsTotal", &s.ChannelsTotal)
	store(&r, "Held", &s.Held)
	store(&r, "RoundTripTime", &rtt)
	store(&r, "Reconnects", &s.Reconnects)
	store(&r, "Connections", &s.Connections)
	store(&r, "ConnectionsWanted", &s.ConnectionsWanted)
	store(&r, "UpTime", &up)
	store(&r, "Transport", &s.Transport)
	store(&r, "Peer", &s.Peer)
	store(&r, "KeyExchange", &s.KeyExchange)
	store(&r, "Cipher", &s.Cipher)
	store(&r, "HostKey", &s.HostKey)
	store(&r, "NotHandedOver", &s.NotHandedOver)
	store(&r, "Forwards", &s.Forwards)
	s.RoundTripTime = time.Duration(rtt) * time.Microsecond
	s.UpTime = time.Duration(up) * time.Microsecond
	return s, r.err
}

// differing is what of the properties in new is not so in old.
func differing(old, new map[string]dbus.Variant) map[string]dbus.Variant {
	changed := make(map[string]dbus.Variant)
	for name, v := range new {
		if o, ok := old[name]; !ok || !reflect.DeepEqual(o, v) {
			changed[name] = v
		}
	}
	return changed
}

func variants(values map[string]any) map[string]dbus.Variant {
	vs := make(map[string]dbus.Variant, len(values))
	for name, v := range values {
		// One text that cannot be sent would take all others with it.
		switch text := v.(type) {
		case string:
			v = sendable(text)
		case []string:
			clean := make([]string, len(text))
			for i := range text {
				clean[i] = sendable(text[i])
			}
			v = clean
		}
		vs[name] = dbus.MakeVariant(v)
	}
	return vs
}

// reader takes Go values out of D-Bus ones and remembers the first error.
type reader struct {
	from map[string]dbus.Variant
	err  error
}

// store stores the value of this name, and says whether there was one. What was there
// before is left as it is for those who hold it: slices are made anew.
func store[T any](r *reader, name string, into *T) bool {
	v, ok := r.from[name]
	if !ok {
		return false
	}
	var fresh T
	err := v.Store(&fresh)
	// The library would convert a number to a string, as Go does. (Of lists it knows no type any more.)
	if want := dbus.SignatureOf(fresh); err == nil && reflect.TypeOf(fresh).Kind() != reflect.Slice && v.Signature() != want {
		err = fmt.Errorf("has type %s, wanted %s", v.Signature(), want)
	}
	if err != nil {
		r.err = cmp.Or(r.err, fmt.Errorf("%s: %w", name, err))
		return false
	}
	*into = fresh
	return true
}

func storeTime(r *reader, name string, into *time.Time) {
	var us uint64
	if store(r, name, &us) {
		*into = timeOf(us)
	}
}

// micros is µs since the epoch, 0 for the zero time.
func micros(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMicro())
}

// timeOf is the inverse of micros.
func timeOf(us uint64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us))
}

// list is never nil, which D-Bus does not have.
func list(ss []string) []string {
	if ss == nil {
		return []string{}
	}
	return ss
}

// forwardRow is a forward on the bus: (sssss).
type forwardRow struct{ Kind, Listen, Target, State, Message string }

func forwardRows(fs []tunnelfile.ForwardReport) []forwardRow {
	now := time.Now()
	rows := make([]forwardRow, len(fs))
	for i, f := range fs {
		rows[i] = forwardRow{string(f.Kind), f.Listen, f.Target, string(f.State), f.Note(now)}
	}
	return rows
}

func forwardsOf(rows []forwardRow) []tunnelfile.ForwardReport {
	if len(rows) == 0 {
		return nil
	}
	fs := make([]tunnelfile.ForwardReport, len(rows))
	for i, r := range rows {
		fs[i] = tunnelfile.ForwardReport{
			Kind: tunnelfile.ForwardKind(r.Kind), Listen: r.Listen, Target: r.Target,
			State: tunnelfile.State(r.State), Message: r.Message,
		}
	}
	return fs
}
