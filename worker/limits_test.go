package worker

import (
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

func TestFitting(t *testing.T) {
	for _, c := range []struct {
		what              string
		asked, held       int
		transport         tunnelfile.Transport
		descriptors       uint64
		channels, pending int
	}{
		{"nothing asked", 0, 256, tunnelfile.TransportNative, 1024, 1024 - 64 - 2 - 3 - 256, 256},
		{"through ssh", 0, 256, tunnelfile.TransportOpenSSH, 1024, (1024 - 64 - 2 - 3 - 256) / 2, 256},
		{"asked", 100, 256, tunnelfile.TransportNative, 1024, 100, 256},
		{"more than fit", 5000, 0, tunnelfile.TransportNative, 1024, 1024 - 64 - 2 - 3, 0},
		{"few descriptors", 0, 256, tunnelfile.TransportNative, 129, 30, 30},
		{"hardly any", 0, 256, tunnelfile.TransportNative, 20, 8, 8},
		{"no limit", 0, 256, tunnelfile.TransportNative, ^uint64(0), 1<<20 - 64 - 2 - 3 - 256, 256},
	} {
		tunnel := tunnelfile.Tunnel{MaxChannels: c.asked, MaxHeld: c.held, Connections: 1}
		channels, pending := channelLimits(tunnel, c.transport, 3, c.descriptors)
		if channels != c.channels || pending != c.pending {
			t.Errorf("%s: %d and %d, want %d and %d", c.what, channels, pending, c.channels, c.pending)
		}
	}
}
