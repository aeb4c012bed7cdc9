package netwatch

import "slices"

// combine makes one snapshot of what the sources say: NetworkManager where it runs and
// is in charge, else networkd where that says something, else the kernel. A source that
// is not there is nil or empty; last is the snapshot before.
//
// Checking says that NetworkManager is about to find out whether the Internet is there.
func combine(manager *managerReading, networkd State, kernel kernelReading, last Network) (n Network, checking bool) {
	n.Addresses = kernel.addresses
	stayed := last.State != "" && slices.Equal(kernel.addresses, last.Addresses)
	if manager != nil && manager.silent {
		if stayed && last.Source == SourceNetworkManager {
			return last, false // it has much to do, or hangs; the kernel knows of nothing new
		}
		manager = nil
	}
	if manager == nil && stayed {
		n.Primary, n.Active, n.Metered = last.Primary, last.Active, last.Metered
	}
	if manager != nil {
		if manager.startup && stayed && last.Perhaps() && kernel.defaultRoute() {
			// It was restarted and is still taking over what is there: its "disconnected"
			// is about itself. The kernel's routes stand, so the last word does.
			return last, false
		}
		n.Source, n.State = SourceNetworkManager, manager.networkState()
		if n.State != Offline {
			n.Primary, n.Active, n.Metered = manager.primary, manager.active, manager.metered()
			return n, manager.checking()
		}
		// Connections and addresses that it is about to bring up are of no use yet.
		if !manager.foreign {
			n.Addresses = nil
			return n, false
		}
	}
	// networkd's "offline" is about the links that it manages.
	if networkd == Online || networkd == Offline && !kernel.defaultRoute() {
		n.Source, n.State = SourceNetworkd, networkd
		return n, false
	}
	n.Source, n.State = SourceNetlink, kernel.networkState()
	return n, false
}
