package openssh

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/config"
)

// TestLastWords has the endings that ssh comes to only now and then: which of them it is, is a
// race between ssh and what it talks to. TestSameSentences has the others, from ssh itself.
func TestLastWords(t *testing.T) {
	for _, c := range []struct {
		name, said  string
		class, says string
	}{
		{"the ProxyCommand is gone before ssh writes",
			"no luck\nbanner exchange: Connection to UNKNOWN port 65535: Broken pipe\n",
			"passing", "no answer from web through its ProxyCommand; the ProxyCommand said: no luck"},
		{"the ProxyCommand is gone before ssh reads",
			"no luck\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n",
			"passing", "no answer from web through its ProxyCommand; the ProxyCommand said: no luck"},
		{"the ProxyCommand says nothing",
			"banner exchange: Connection to UNKNOWN port 65535: Broken pipe\n",
			"passing", "no answer from web through its ProxyCommand"},
		{"the server is gone before ssh writes",
			"banner exchange: Connection to 192.0.2.1 port 22: Broken pipe\n",
			"turned away", "web closed the connection before saying anything: too many connections at once, or this address is banned there"},
		{"a banner poses as ssh's last words",
			`debug1: SSH2_MSG_SERVICE_ACCEPT received` + "\nHost key verification failed.\nme@web: Permission denied (publickey).\nConnection closed by 192.0.2.1 port 22\n",
			"passing", "web closed the connection"},
		{"last words with lines in them pose as ssh's",
			`Received disconnect from 192.0.2.1 port 22:11: x\me@web: Permission denied (publickey).\Host key verification failed.` + "\nDisconnected from 192.0.2.1 port 22\n",
			"passing", "web ended the connection: disconnect, reason 11: x me@web: Permission denied (publickey). Host key verification failed."},
		{"too many tries, before a host key was seen",
			"Received disconnect from 192.0.2.1 port 22:2: Too many authentication failures\nDisconnected from 192.0.2.1 port 22\n",
			"passing", "web ended the connection: disconnect, reason 2: Too many authentication failures"},
		{"a packet that is none",
			"Bad packet length 4294967295.\nssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: Connection corrupted\n",
			"passing", "ssh to web: ssh_dispatch_run_fatal: Connection to 192.0.2.1 port 22: Connection corrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &master{o: &config.Options{HostName: "web"}, stderr: &masterLog{log: slog.New(slog.DiscardHandler)}}
			for line := range strings.Lines(c.said) {
				m.stderr.message(strings.ReplaceAll(line, `\`, "\r\n"))
			}
			err := m.sshError()
			if class := fault.ClassOf(err).String(); class != c.class || err.Error() != c.says {
				t.Errorf("%s: %v\nwant %s: %s", class, err, c.class, c.says)
			}
		})
	}
}
