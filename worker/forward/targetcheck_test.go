package forward

import (
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Check=connect finds a target that is down while the link is up, says so, and takes
// it back when the target is there again.
func TestCheck(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	up := testbed.Echo(t, "tcp", "127.0.0.1:0")
	down := testbed.FreeAddr(t)
	s := newSet(t, Config{
		Forwards: []tunnelfile.Forward{
			local(loopback, tcp(up)),
			local(loopback, tcp(down)),
			remote(tcp(testbed.FreeAddr(t)), tcp(down)),
			dynamic(loopback),
		},
		Check: "connect",
	})
	use(t, s, link)
	defer s.Lost(link)
	want := down.String() + " refuses connections"
	for _, i := range []int{1, 2} {
		if r := awaitState(t, s, i, tunnelfile.Degraded); r.Message != want {
			t.Errorf("%s: message %q", r.Kind, r.Message)
		}
	}
	for _, i := range []int{0, 3} {
		if r := s.Report()[i]; r.State != tunnelfile.Up || r.Message != "" {
			t.Errorf("%s: %s: %s", r.Kind, r.State, r.Message)
		}
	}
	testbed.Echo(t, "tcp", down.String())
	testbed.CheckEcho(t, connect(t, s.addr(1)), 1000, patience) // a client finds it sooner than the next check
	awaitState(t, s, 1, tunnelfile.Up)
	use(t, s, link) // asks for a check
	awaitState(t, s, 2, tunnelfile.Up)

	c := *s.config.Load()
	c.Check = "none"
	if err := s.Apply(c); err != nil {
		t.Fatal(err)
	}
	if n := s.Totals().ChannelsTotal; n != 1 {
		t.Errorf("checks are counted as channels: %d", n)
	}
}
