package openssh

import (
	"io"
	"log/slog"
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
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &master{o: &config.Options{HostName: "web"}, stderr: &masterLog{log: slog.New(slog.DiscardHandler)}}
			if _, err := io.WriteString(m.stderr, c.said); err != nil {
				t.Fatal(err)
			}
			err := m.sshError()
			if class := fault.ClassOf(err).String(); class != c.class || err.Error() != c.says {
				t.Errorf("%s: %v\nwant %s: %s", class, err, c.class, c.says)
			}
		})
	}
}
