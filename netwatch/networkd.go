package netwatch

import "context"

// Names of systemd-networkd, see org.freedesktop.network1(5).
const (
	networkdName      = "org.freedesktop.network1"
	networkdPath      = "/org/freedesktop/network1"
	networkdInterface = "org.freedesktop.network1.Manager"
)

// readNetworkd asks systemd-networkd. The State is "" if it does not run, or manages no link with
// RequiredForOnline=.
func (b *systemBus) readNetworkd(ctx context.Context) State {
	properties, err := b.Properties(ctx, networkdName, networkdPath, networkdInterface)
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
