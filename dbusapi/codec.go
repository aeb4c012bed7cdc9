package dbusapi

import (
	"cmp"
	"fmt"
	"reflect"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/tunnelfile"
)

// The properties of the Tunnel interface are the fields of listing.Tunnel, those of the Manager
// interface the fields of listing.Global, and what Statistics returns the fields of Statistics:
// they have the same names, and TestContract holds them against the XML.

// properties returns the fields of a struct as D-Bus values.
func properties(of any) map[string]dbus.Variant {
	v := reflect.ValueOf(of)
	values := make(map[string]dbus.Variant, v.NumField())
	for i := range v.NumField() {
		field := v.Field(i)
		values[v.Type().Field(i).Name] = dbus.MakeVariant(codecOf(field.Type()).encode(field).Interface())
	}
	return values
}

// withProperties is the inverse of properties: it returns the struct with the fields replaced
// that are among the properties. The first error is returned; slices are not shared with the
// struct that was given.
func withProperties[T any](into T, values map[string]dbus.Variant) (T, error) {
	var first error
	v := reflect.ValueOf(&into).Elem()
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		value, ok := values[name]
		if !ok {
			continue
		}
		c := codecOf(field.Type())
		fresh := reflect.New(c.wire)
		err := value.Store(fresh.Interface())
		// godbus would convert a number to a string, as Go does. It has lost the types of lists.
		if want := dbus.SignatureOfType(c.wire); err == nil && c.wire.Kind() != reflect.Slice && value.Signature() != want {
			err = fmt.Errorf("has type %s, wanted %s", value.Signature(), want)
		}
		if err != nil {
			first = cmp.Or(first, fmt.Errorf("%s: %w", name, err))
			continue
		}
		field.Set(c.decode(fresh.Elem()))
	}
	return into, first
}

// codec is how D-Bus carries the values of a Go type.
type codec struct {
	wire           reflect.Type
	encode, decode func(reflect.Value) reflect.Value
}

// codecs has the types that D-Bus carries as another type. Text is the other exception.
var codecs = map[reflect.Type]codec{
	reflect.TypeFor[time.Time](): codecFor(micros, timeOf),
	reflect.TypeFor[time.Duration](): codecFor(
		func(d time.Duration) uint64 { return uint64(d.Microseconds()) },
		func(us uint64) time.Duration { return time.Duration(us) * time.Microsecond }),
	reflect.TypeFor[[]string]():                   codecFor(sendableList, func(s []string) []string { return s }),
	reflect.TypeFor[[]tunnelfile.ForwardReport](): listCodec(forwardRowOf, forwardRow.report),
	reflect.TypeFor[[]tunnelfile.Problem]():       listCodec(problemRowOf, problemRow.problem),
}

func codecFor[T, W any](encode func(T) W, decode func(W) T) codec {
	return codec{reflect.TypeFor[W](),
		func(v reflect.Value) reflect.Value { return reflect.ValueOf(encode(v.Interface().(T))) },
		func(v reflect.Value) reflect.Value { return reflect.ValueOf(decode(v.Interface().(W))) }}
}

func listCodec[T, W any](encode func(T) W, decode func(W) T) codec {
	return codecFor(func(list []T) []W { return mapped(list, encode) }, func(list []W) []T { return mapped(list, decode) })
}

func codecOf(t reflect.Type) codec {
	if c, ok := codecs[t]; ok {
		return c
	}
	if t.Kind() == reflect.String {
		return codec{reflect.TypeFor[string](),
			func(v reflect.Value) reflect.Value { return reflect.ValueOf(sendable(v.String())) },
			func(v reflect.Value) reflect.Value { return v.Convert(t) }}
	}
	itself := func(v reflect.Value) reflect.Value { return v }
	return codec{t, itself, itself}
}

// Statistics is what a tunnel counted. On the bus times are in µs.
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
	NotHandedOverAt          time.Time
	Forwards                 []ForwardStatistics
}

// ForwardStatistics is one forward's part of Statistics; on the bus (sssxttt).
type ForwardStatistics struct {
	Kind, Listen, Target     string
	ChannelsOpen             int64
	ChannelsTotal            uint64
	BytesSent, BytesReceived uint64
}

// statisticsOf returns what a tunnel's report says that it counted.
func statisticsOf(r tunnelfile.Report, now time.Time) Statistics {
	s := Statistics{
		BytesSent: r.BytesSent, BytesReceived: r.BytesReceived, ChannelsOpen: r.ChannelsOpen, ChannelsTotal: r.ChannelsTotal,
		Held: r.Held, RoundTripTime: max(r.RTT, 0), Reconnects: r.Reconnects,
		Connections: uint64(max(r.Connections, 0)), ConnectionsWanted: uint64(max(r.ConnectionsWanted, 0)),
		Transport: string(r.Transport), Peer: r.Peer, KeyExchange: r.Kex, Cipher: r.Cipher, HostKey: r.HostKey,
		NotHandedOver: r.NotHandedOver, NotHandedOverAt: r.NotHandedOverAt,
		Forwards: mapped(r.Forwards, func(f tunnelfile.ForwardReport) ForwardStatistics {
			return ForwardStatistics{string(f.Kind), f.Listen, f.Target, f.ChannelsOpen, f.ChannelsTotal, f.BytesSent, f.BytesReceived}
		}),
	}
	if !r.UpSince.IsZero() {
		s.UpTime = max(now.Sub(r.UpSince), 0)
	}
	return s
}

// shown is the statistics as D-Bus values, for who may read the tunnel's file or may not.
func (s Statistics) shown(mayRead bool) map[string]dbus.Variant {
	values := properties(s)
	if !mayRead {
		for _, secret := range []string{"Forwards", "Peer", "HostKey"} {
			delete(values, secret)
		}
	}
	return values
}

// Empty says whether the tunnel does not run.
func (s Statistics) Empty() bool {
	return len(s.Forwards) == 0 && reflect.DeepEqual(s, Statistics{Forwards: s.Forwards})
}

// differing returns the properties in new whose value in old is another.
func differing(old, new map[string]dbus.Variant) map[string]dbus.Variant {
	changed := make(map[string]dbus.Variant)
	for name, v := range new {
		if o, ok := old[name]; !ok || !reflect.DeepEqual(o, v) {
			changed[name] = v
		}
	}
	return changed
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

// sendableList is never nil, which D-Bus does not have.
func sendableList(list []string) []string {
	clean := make([]string, len(list))
	for i := range list {
		clean[i] = sendable(list[i])
	}
	return clean
}

// forwardRow is a forward on the bus: (sssss).
type forwardRow struct{ Kind, Listen, Target, State, Message string }

func forwardRowOf(f tunnelfile.ForwardReport) forwardRow {
	return forwardRow{string(f.Kind), f.Listen, f.Target, string(f.State), f.Note(time.Now())}
}

func (r forwardRow) report() tunnelfile.ForwardReport {
	return tunnelfile.ForwardReport{
		Kind: tunnelfile.ForwardKind(r.Kind), Listen: r.Listen, Target: r.Target,
		State: tunnelfile.State(r.State), Message: r.Message,
	}
}
