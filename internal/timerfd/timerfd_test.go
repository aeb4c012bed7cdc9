package timerfd

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestTimeOfDay(t *testing.T) {
	a, err := New(Realtime)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	// No test can send the machine to sleep: the kernel says what counts the time.
	raw, err := a.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info []byte
	if failed := raw.Control(func(fd uintptr) { info, err = os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd)) }); failed != nil {
		t.Fatal(failed)
	}
	if err != nil || !strings.Contains(string(info), "clockid: 0\n") {
		t.Errorf("not by CLOCK_REALTIME: %v\n%s", err, info)
	}
	fires := func(what string) {
		t.Helper()
		select {
		case <-a.C:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it did not fire", what)
		}
	}
	set := func(at time.Time) {
		t.Helper()
		if err := a.At(at); err != nil {
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
