package sshlink

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/testbed/hostile"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestJumpHostGetsNoAgent: the ssh that ssh runs for ProxyJump serves no more than the one that
// we run, whatever ssh_config says.
func TestJumpHostGetsNoAgent(t *testing.T) {
	testbed.Need(t, "ssh")
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "id"), "ed25519", "")
	t.Setenv("SSH_AUTH_SOCK", testbed.Agent(t, key).Socket)
	for _, jumps := range []string{"hop", "hop,other"} {
		hop := hostile.Listen(t)
		hop.Play = func(s *hostile.Session) error {
			return s.LinkUp(func() error {
				for i := range uint32(5) {
					if err := s.WritePacket(hostile.Open("auth-agent@openssh.com", 1000+i, nil)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		hop.Serve()
		config := fmt.Sprintf("Host *\n ForwardAgent yes\n UserKnownHostsFile DIR/known\n GlobalKnownHostsFile none\n IdentityFile %s\n"+
			"Host hop\n HostName 127.0.0.1\n Port %d\nHost host other\n HostName 127.0.0.1\n Port 9\nHost host\n ProxyJump %s\n", key.File, hop.Port, jumps)
		l := loginRow{config: config, files: map[string]string{"known": hop.KnownHost()}, transport: tunnelfile.TransportOpenSSH}
		tried := make(chan struct{})
		go func() {
			defer close(tried)
			l.tryOurs(t)
		}()
		testbed.WaitFor(t, 20*time.Second, func() error {
			if n, what := hop.LetIn(); n > 0 {
				t.Fatal(what)
			}
			if n := hop.Refusals(); n < 5 {
				return fmt.Errorf("%d refusals, want 5: %q", n, hop.Notes())
			}
			return nil
		})
		hop.Hangup()
		<-tried
	}
}
