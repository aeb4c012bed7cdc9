package testbed

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
)

// Connectivity is the server that NetworkManager asks whether the Internet is there,
// as NetworkManager.conf(5) describes it in its section [connectivity].
type Connectivity struct {
	t      testing.TB
	answer atomic.Value // one of the constants below
}

// What a check finds.
const (
	full    = "full"    // the Internet
	portal  = "portal"  // a page that wants somebody to log in
	limited = "limited" // nobody
)

// CheckConnectivity makes NetworkManager check for the Internet at the other host until
// the test ends. At first, a check finds it.
func (n *Network) CheckConnectivity() *Connectivity {
	n.t.Helper()
	c := &Connectivity{t: n.t}
	c.answer.Store(full)
	go http.Serve(n.Listen(80), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch c.answer.Load() {
		case full:
			w.Header().Set("X-NetworkManager-Status", "online")
			w.Write([]byte("NetworkManager is online"))
		case portal:
			w.Header().Set("Location", "http://"+n.Host+"/login")
			w.WriteHeader(http.StatusFound)
		default:
			panic(http.ErrAbortHandler) // hangs up without an answer
		}
	}))
	const file = "/etc/NetworkManager/conf.d/testbed-connectivity.conf"
	text := "[connectivity]\nuri=http://" + n.Host + "/check\nenabled=true\ninterval=60\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
	Command(n.t, "nmcli", "general", "reload")
	n.t.Cleanup(func() {
		os.Remove(file)
		Output("nmcli", "general", "reload")
	})
	return c
}

// Full lets the next check find the Internet.
func (c *Connectivity) Full() { c.answer.Store(full) }

// Portal lets the next check find a captive portal.
func (c *Connectivity) Portal() { c.answer.Store(portal) }

// Limited lets the next check find nobody.
func (c *Connectivity) Limited() { c.answer.Store(limited) }

// Check makes NetworkManager check now, and returns what it found in its own word.
func (c *Connectivity) Check() string {
	c.t.Helper()
	return Command(c.t, "nmcli", "networking", "connectivity", "check")
}
