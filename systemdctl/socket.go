package systemdctl

import (
	"os"
	"time"
)

// Socket is a socket unit: systemd.socket(5) documents each field.
//
// This happens to a waiting connection, as measured with systemd 252:
//   - The service is killed and Restart= applies: the connection waits in the queue for all of
//     RestartSec= and is served then. It does not shorten the wait, so a service that crashes
//     repeatedly does not spin.
//   - The service ends for good (no Restart=, or RestartPreventExitStatus=): systemd starts it at
//     once for the connection, every 7 ms. With a start limit of 5 in 10 s both units fail after 5
//     runs, in 70 ms. Without one the socket fails after TriggerLimitBurst= runs, 20 in 0.14 s.
//     Result is then service-start-limit-hit or trigger-limit-hit.
//   - A failed socket has closed its listeners: clients are refused until it is reset and made
//     again. No limit only pauses it (PollLimit… came with systemd 255).
//   - FlushPending= would drop the queue whenever the service ends, also between a crash and the
//     restart: that ends the spin, but loses the clients.
//
// So a service that cannot serve should run on and refuse, and not exit while connections wait. A
// limit of 20 in 2 s ends a spin, and no service that runs for 100 ms reaches it.
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

	// How often connections may start the service before the socket fails. A zero interval or burst
	// means no limit.
	TriggerLimitInterval time.Duration `property:"-"`
	TriggerLimitBurst    uint32        `property:"-"`
}

// listen is one address of a socket unit.
type listen struct{ Type, Address string }

// Properties returns the socket as StartTransient takes it.
func (s Socket) Properties() []Property {
	addresses := make([]listen, len(s.ListenStream))
	for i, a := range s.ListenStream {
		addresses[i] = listen{"Stream", a}
	}
	return append(propertiesOf(s), property("Listen", addresses),
		property("TriggerLimitIntervalUSec", usec(s.TriggerLimitInterval)), property("TriggerLimitBurst", s.TriggerLimitBurst))
}
