package tray

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestWallTimer(t *testing.T) {
	a, err := newWallTimer()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	// No test can send the machine to sleep: the kernel says what counts the time.
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", a.fd))
	if err != nil || !strings.Contains(string(info), "clockid: 0\n") {
		t.Errorf("not by CLOCK_REALTIME: %v\n%s", err, info)
	}
	fires := func(what string) {
		t.Helper()
		select {
		case <-a.fired:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it did not fire", what)
		}
	}
	set := func(at time.Time) {
		t.Helper()
		if err := a.set(at); err != nil {
			t.Fatal(err)
		}
	}
	set(time.Now().Add(-time.Hour))
	fires("a time that is over")
	set(time.Now().Add(time.Hour))
	soon := time.Now().Add(20 * time.Millisecond)
	set(soon)
	fires("a time soon")
	if early := time.Until(soon.Round(0)); early > 0 {
		t.Errorf("it rang %v early", early)
	}
}

// TestPauseByTheClock: the time in which the machine sleeps counts.
func TestPauseByTheClock(t *testing.T) {
	for _, p := range pausesAt(time.Now()) {
		if p.until != p.until.Round(0) {
			t.Errorf("%s: until %v, which is not by the clock on the wall", p.label, p.until)
		}
	}
}

func TestNextByClock(t *testing.T) {
	midnight := time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		pause Pause
		want  time.Time
	}{
		{Pause{}, midnight},
		{Pause{Since: noon}, midnight},
		{Pause{Since: noon, Until: noon.Add(time.Hour)}, noon.Add(time.Hour)},
		{Pause{Since: noon, Until: noon.Add(20 * time.Hour)}, midnight},
	} {
		if got := nextByClock(c.pause, noon); !got.Equal(c.want) {
			t.Errorf("%+v: %v, want %v", c.pause, got, c.want)
		}
	}
}
