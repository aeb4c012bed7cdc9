package netwatch

import "slices"

// combine makes one snapshot of the sources' readings: of NetworkManager if it runs and is in
// charge, else of networkd if it has a state, else of the kernel. A missing source is nil or "".
// last is the snapshot before.
//
// checking says that NetworkManager is checking whether the Internet is there.
func combine(manager *managerReading, networkd State, kernel kernelReading, last Network) (n Network, checking bool) {
	n.Addresses = kernel.addresses
	stayed := last.State != "" && slices.Equal(kernel.addresses, last.Addresses)
	if manager != nil && manager.silent {
		if stayed && last.Source == SourceNetworkManager {
			return last, false // it is busy or hangs, and the kernel has nothing new
		}
		manager = nil
	}
	if manager == nil && stayed {
		n.Primary, n.Active, n.Metered = last.Primary, last.Active, last.Metered
	}
	if manager != nil {
		if manager.startup && stayed && last.Perhaps() && kernel.defaultRoute() {
			// It was restarted and is still taking over what exists: its "disconnected" is about
			// itself. The kernel's routes have not changed, so the last snapshot is still right.
			return last, false
		}
		n.Source, n.State = SourceNetworkManager, manager.networkState()
		if n.State != Offline {
			n.Primary, n.Active, n.Metered = manager.primary, manager.active, manager.metered()
			return n, manager.checking()
		}
		// Its connections and addresses are not usable yet.
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
