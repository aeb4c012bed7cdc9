package forward

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// AllowUsers=self lets this user's processes in and no others.
func TestAllowUsersSelf(t *testing.T) {
	echo := testbed.Echo(t, "tcp", "127.0.0.1:0")
	port := testbed.FreeAddr(t).Port
	s := newSet(t, Config{
		Forwards:   []tunnelfile.Forward{local(tunnelfile.Address{Port: port, Host: "*", Bind: true}, tcp(echo)), local(sock(socketPath(t, "u")), tcp(echo))},
		AllowUsers: "self",
	})
	link := direct()
	use(t, s, link)
	defer s.Lost(link)
	hosts := []string{"127.0.0.1"}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		hosts = append(hosts, "::1")
	}
	for _, host := range hosts {
		testbed.CheckEcho(t, connect(t, &net.TCPAddr{IP: net.ParseIP(host), Port: port}), 1000, patience)
	}
	testbed.CheckEcho(t, connect(t, s.addr(1)), 1000, patience)

	if os.Getuid() != 0 {
		t.Skip("only root can connect as somebody else")
	}
	testbed.Need(t, "bash")
	for _, host := range hosts {
		client := exec.Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/%s/%d && echo hello >&3 && cat <&3", host, port))
		client.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := client.CombinedOutput()
		if err == nil || strings.Contains(string(out), "hello\n") {
			t.Errorf("another user through %s: %q, %v", host, out, err)
		}
	}
}

// Refusals are counted each, and logged together.
func TestRefusalsAreLoggedTogether(t *testing.T) {
	var log bytes.Buffer
	s := newSet(t, Config{
		Forwards: []tunnelfile.Forward{local(loopback, tcp(testbed.FreeAddr(t)))}, AllowUsers: "self",
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	f := s.forwards[0]
	for range 5 {
		f.turnAway(&f.strangers)
	}
	if n := s.Report()[0].Refused; n != 5 {
		t.Errorf("%d refused, want 5", n)
	}
	s.Close(t.Context())
	if n := strings.Count(log.String(), "connections refused"); n != 1 {
		t.Errorf("%d lines:\n%s", n, log.String())
	}
}

// What comes once a period and more is told once a period, with its number.
func TestPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []int
		p := paced{every: time.Minute, tell: func(n int) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, n)
		}}
		for range 10 {
			p.add()
		}
		time.Sleep(90 * time.Second)
		p.add()
		time.Sleep(5 * time.Minute)
		p.add()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if want := []int{1, 9, 1, 1}; !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}
