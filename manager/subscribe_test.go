package manager

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/holdfast/holdfast/internal/listing"
)

// TestSubscribe shows order, and that a reader that is stuck holds nobody up and
// costs no more than one change a tunnel.
func TestSubscribe(t *testing.T) {
	var s subscribers
	stuck, release := make(chan struct{}), make(chan struct{})
	var slow []listing.Change
	var slowDone sync.WaitGroup
	slowDone.Add(1)
	cancelSlow := s.add(func(c listing.Change) {
		if len(slow) == 0 {
			close(stuck)
			<-release
		}
		slow = append(slow, c)
		if c.Kind == listing.Removed && c.Old.Name == "b" {
			slowDone.Done()
		}
	})
	defer cancelSlow()
	seen := make(chan listing.Change, 4)
	cancel := s.add(func(c listing.Change) { seen <- c })

	at := func(name string, n int) listing.Tunnel { return listing.Tunnel{Name: name, Status: fmt.Sprint(n)} }
	s.publish(listing.Change{Kind: listing.Added, New: at("a", 0)})
	<-stuck
	<-seen
	for i := range 1000 {
		s.publish(listing.Change{Kind: listing.Changed, Old: at("a", i), New: at("a", i+1)})
		if c := <-seen; c.New.Status != fmt.Sprint(i+1) {
			t.Fatalf("change %d: %+v", i, c)
		}
	}
	for _, c := range []listing.Change{
		{Kind: listing.GlobalChanged, NewGlobal: listing.Global{Network: "offline"}},
		{Kind: listing.Added, New: at("b", 0)},
		{Kind: listing.Changed, Old: at("b", 0), New: at("b", 1)},
		{Kind: listing.GlobalChanged, NewGlobal: listing.Global{Network: "online"}},
		{Kind: listing.Removed, Old: at("a", 1000)},
		{Kind: listing.Added, New: at("a", 2000)},
		{Kind: listing.Removed, Old: at("b", 1)},
	} {
		s.publish(c)
		<-seen
	}
	close(release)
	slowDone.Wait()
	var got []string
	for _, c := range slow {
		got = append(got, fmt.Sprint(c.Kind, " ", nameOf(c), c.Old.Status, ">", c.New.Status, c.NewGlobal.Network))
	}
	want := []string{"0 a>0", "1 a0>1000", "3 >online", "0 b>1", "2 a1000>", "0 a>2000", "2 b1>"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}

	cancel()
	s.publish(listing.Change{Kind: listing.Added, New: at("late", 0)})
	select {
	case c := <-seen:
		t.Errorf("told after cancel: %+v", c)
	default:
	}
}
