package netwatch

import "context"

// Names of systemd-networkd, see org.freedesktop.network1(5).
const (
	networkdName      = "org.freedesktop.network1"
	networkdPath      = "/org/freedesktop/network1"
	networkdInterface = "org.freedesktop.network1.Manager"
)

// readNetworkd asks systemd-networkd, if it runs and manages a link that matters for
// being online (RequiredForOnline=); empty: it says nothing.
func (b *systemBus) readNetworkd(ctx context.Context) State {
	properties, err := b.properties(ctx, networkdName, networkdPath, networkdInterface)
	if err != nil {
		return ""
	}
	switch value[string](properties, "OnlineState") {
	case "online", "partial":
		return Online
	case "offline":
		return Offline
	}
	return ""
}
