package forward

import (
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// A changed file opens and closes single forwards; connections of the others, and of
// those that are gone, go on.
func TestApply(t *testing.T) {
	server := testbed.StartServer(t, testbed.ServerOptions{})
	link := dialSSH(t, server, server.Addr)
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	greeter := testbed.Serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.WriteString(c, "hello") })
	kept, gone, changed, added := local(tcp(testbed.FreeAddr(t)), tcp(echo)), local(tcp(testbed.FreeAddr(t)), tcp(echo)), local(tcp(testbed.FreeAddr(t)), tcp(echo)), local(tcp(testbed.FreeAddr(t)), tcp(echo))
	keptRemote, goneRemote, changedRemote, addedRemote := remote(tcp(testbed.FreeAddr(t)), tcp(echo)), remote(tcp(testbed.FreeAddr(t)), tcp(echo)), remote(tcp(testbed.FreeAddr(t)), tcp(echo)), remote(tcp(testbed.FreeAddr(t)), tcp(echo))
	at := func(f tunnelfile.Forward) net.Addr {
		return &net.TCPAddr{IP: net.ParseIP(f.Listen.Host), Port: f.Listen.Port}
	}

	var stored []string
	c := Config{
		Forwards: []tunnelfile.Forward{kept, gone, changed, keptRemote, goneRemote, changedRemote},
		Store:    func(name string, l net.Listener) { stored = append(stored, name+" "+l.Addr().String()) },
		Unstore:  func(name string) { stored = append(stored, "without "+name) },
	}
	s := newSet(t, c)
	use(t, s, link)
	defer s.Lost(link)
	open := make(map[string]net.Conn)
	for name, f := range map[string]tunnelfile.Forward{"kept": kept, "gone": gone, "changed": changed, "kept remote": keptRemote, "gone remote": goneRemote, "changed remote": changedRemote} {
		c := connect(t, at(f))
		io.WriteString(c, "1")
		io.ReadFull(c, make([]byte, 1))
		open[name] = c
	}
	keptPort := s.forwards[0].ports[0]

	changed.Target, changedRemote.Target = tcp(greeter), tcp(greeter)
	c = *s.config.Load()
	c.Forwards = []tunnelfile.Forward{added, changed, kept, addedRemote, changedRemote, keptRemote}
	if err := s.Apply(c); err != nil {
		t.Fatal(err)
	}
	for name, c := range open {
		t.Run(name, func(t *testing.T) { testbed.CheckEcho(t, c, 100_000, patience) })
	}
	if s.forwards[2].ports[0] != keptPort {
		t.Error("the listener that was kept is another one")
	}
	if err := testbed.NotListening("tcp", at(gone).String()); err != nil {
		t.Errorf("the forward that is gone: %v", err)
	}
	if want := s.forwards[0].ports[0].storeName() + " " + at(added).String(); len(stored) != 1 || stored[0] != want {
		t.Errorf("stored %v, not %s", stored, want)
	}
	testbed.CheckEcho(t, connect(t, at(added)), 1000, patience)
	testbed.CheckEcho(t, connect(t, at(kept)), 1000, patience)
	testbed.CheckEcho(t, connect(t, at(keptRemote)), 1000, patience)
	for _, f := range []tunnelfile.Forward{changed, changedRemote} {
		if got, err := io.ReadAll(connect(t, at(f))); string(got) != "hello" {
			t.Errorf("%s: read %q, %v", f.Kind, got, err)
		}
	}
	testbed.WaitFor(t, patience, func() error { return testbed.EchoAt(at(addedRemote).String(), 1000, patience) })
	testbed.WaitFor(t, patience, func() error { return testbed.NotListening("tcp", at(goneRemote).String()) })
	if n := s.Totals().ChannelsTotal; n < 12 {
		t.Errorf("%d channels in all: those of the forwards that are gone are forgotten", n)
	}

	// Taken out again, the added one leaves the store.
	c.Forwards = c.Forwards[1:]
	if err := s.Apply(c); err != nil {
		t.Fatal(err)
	}
	if len(stored) != 2 {
		t.Errorf("stored %v", stored)
	}
}

// An Apply that fails changes nothing.
func TestApplyFailsWhole(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	before, added := local(tcp(testbed.FreeAddr(t)), tcp(echo)), local(tcp(testbed.FreeAddr(t)), tcp(echo))
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{before}})
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	c := *s.config.Load()
	c.Forwards = []tunnelfile.Forward{added, local(tcp(taken.Addr()), tcp(echo))}
	if err := s.Apply(c); err == nil {
		t.Fatal("no error")
	}
	testbed.CheckEcho(t, connect(t, s.addr(0)), 1000, patience)
	if r := s.Report(); len(r) != 1 || r[0].Text != before.Text {
		t.Errorf("reported %+v", r)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(added.Listen.Host, itoa(added.Listen.Port)))
	if err != nil {
		t.Errorf("left open: %v", err)
	} else {
		l.Close()
	}
}

// An inherited listener whose forward goes stays with the service manager: it resets,
// and serves again when the forward comes back.
func TestInheritedListenerOfForwardThatIsGone(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	l := inherit(t, "tcp", "127.0.0.1:0")
	f := local(tcp(l.Addr()), tcp(echo))
	var changes atomic.Int64
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{f}, Inherited: []net.Listener{l}, Changed: func() { changes.Add(1) }})
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	without, with := *s.config.Load(), *s.config.Load()
	without.Forwards = nil
	for range 2 {
		testbed.CheckEcho(t, connect(t, l.Addr()), 1000, patience)
		before := changes.Load()
		if err := s.Apply(without); err != nil {
			t.Fatal(err)
		}
		if changes.Load() == before {
			t.Error("nobody was told")
		}
		isReset(t, l.Addr())
		if err := s.Apply(with); err != nil {
			t.Fatal(err)
		}
	}
	testbed.CheckEcho(t, connect(t, l.Addr()), 1000, patience)
}

// What is held for a forward that goes is reset; other held connections stay.
func TestApplyResetsHeldOfForwardThatIsGone(t *testing.T) {
	gone, kept := local(tcp(testbed.FreeAddr(t)), tcp(testbed.FreeAddr(t))), local(tcp(testbed.FreeAddr(t)), tcp(testbed.FreeAddr(t)))
	s := newSet(t, Config{Forwards: []tunnelfile.Forward{gone, kept}})
	c := connect(t, s.addr(0))
	connect(t, s.addr(1))
	awaitPending(t, s, 2)
	config := *s.config.Load()
	config.Forwards = []tunnelfile.Forward{kept}
	if err := s.Apply(config); err != nil {
		t.Fatal(err)
	}
	wasReset(t, c)
	awaitPending(t, s, 1)
}
