package forward

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// With ExitOnForwardFailure=no a forward whose address is taken is degraded and says who has
// it; the other is served. When the address is free, it is served too.
func TestOneOfTwoIsTaken(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := testbed.FreeAddr(t)
	s, err := New(Config{HoldTimeout: patience, MaxHeld: 1, Forwards: []tunnelfile.Forward{local(tcp(taken.Addr()), tcp(echo)), local(tcp(free), tcp(echo))}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	link := dialSSH(t, server, server.Addr)
	use(t, s, link)
	defer s.Lost(link)

	testbed.CheckEcho(t, connect(t, free), 1000, patience)
	r := awaitState(t, s, 0, tunnelfile.Degraded)
	if r.Reason != fault.Listen || !strings.Contains(r.Message, "address already in use (held by ") {
		t.Errorf("%+v", r)
	}
	taken.Close()
	awaitState(t, s, 0, tunnelfile.Up)
	testbed.CheckEcho(t, connect(t, taken.Addr()), 1000, patience)
}

// Without that, nothing is served where one address is taken; see TestAddressInUse.
func TestOneOfTwoIsTakenAndAllAreNeeded(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := Config{ExitOnForwardFailure: true, Forwards: []tunnelfile.Forward{local(tcp(taken.Addr()), tcp(taken.Addr()))}}
	if s, err := New(c); err == nil {
		s.Close(t.Context())
		t.Error("listens")
	} else if fault.ReasonOf(err) != fault.Listen || !errors.As(err, new(fault.Reasoned)) {
		t.Errorf("%v has reason %q", err, fault.ReasonOf(err))
	}
}
