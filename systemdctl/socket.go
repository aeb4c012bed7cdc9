package systemdctl

import (
	"os"
	"time"
)

// Socket is a socket unit: systemd.socket(5) has the meaning of each field.
//
// What happens to a connection that waits, as measured with systemd 252:
//   - The service is killed and Restart= applies: the connection stays in the queue
//     for the whole of RestartSec=, then it is served. It does not cut the wait short,
//     so a service that crashes again and again does not spin.
//   - The service ends for good (no Restart=, or RestartPreventExitStatus=): systemd
//     starts it again at once for the connection, every 7 ms. With a start limit of 5 in
//     10 s both units fail after 5 runs, in 70 ms; without one the socket fails after
//     TriggerLimitBurst= runs, 20 in 0.14 s, and the service is what its last run was.
//     Result is then service-start-limit-hit or trigger-limit-hit.
//   - A socket that failed has closed its listeners: clients are refused until it is
//     reset and made again. There is no limit that only pauses it (PollLimit… came
//     with systemd 255).
//   - FlushPending= drops the queue whenever the service ends, also between a crash
//     and the restart: the spin is gone, and so are the clients.
//
// So a service that cannot serve should keep running and refuse, rather than exit
// while connections wait; the limit of 20 in 2 s bounds the rest, and no service that
// takes 100 ms to come and go meets it.
type Socket struct {
	Description        string
	Slice              string
	ListenStream       []string    `property:"-"` // "127.0.0.1:80", "[::1]:80", "80" for all addresses, "/run/x.sock", "@abstract"
	SocketMode         os.FileMode // of unix sockets
	User               string      `property:"SocketUser"` // who owns unix sockets; system units only
	Group              string      `property:"SocketGroup"`
	FileDescriptorName string      // one for all of the unit's sockets
	RemoveOnStop       bool        // unlink the paths when the socket stops
	Backlog            uint32      // 0 for systemd's default

	// How often connections may start the service before the socket gives up; a zero
	// interval or burst switches the limit off.
	TriggerLimitInterval time.Duration `property:"-"`
	TriggerLimitBurst    uint32        `property:"-"`
}

// listen is one address of a socket unit.
type listen struct{ Type, Address string }

// Properties is the socket as StartTransient takes it.
func (s Socket) Properties() []Property {
	addresses := make([]listen, len(s.ListenStream))
	for i, a := range s.ListenStream {
		addresses[i] = listen{"Stream", a}
	}
	return append(propertiesOf(s), property("Listen", addresses),
		property("TriggerLimitIntervalUSec", usec(s.TriggerLimitInterval)), property("TriggerLimitBurst", s.TriggerLimitBurst))
}
