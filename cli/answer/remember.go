package answer

import (
	"maps"
	"os"
	"strings"
	"sync"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/internal/keyring"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// answers are what the person typed for tunnels and may want to store in the keyring.
type answers struct {
	mu       sync.Mutex
	byTunnel map[string]map[keyring.Account]string
}

// add stores an answer in place of an earlier one, which was wrong.
func (a *answers) add(tunnel, kind, prompt, answer string) {
	account := keyring.AccountOf(kind, prompt)
	if account == "" || answer == "" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byTunnel == nil {
		a.byTunnel = make(map[string]map[keyring.Account]string)
	}
	if a.byTunnel[tunnel] == nil {
		a.byTunnel[tunnel] = make(map[keyring.Account]string)
	}
	a.byTunnel[tunnel][account] = answer
}

// of returns what was typed for a tunnel.
func (a *answers) of(tunnel string) map[keyring.Account]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.byTunnel[tunnel])
}

// OfferToRemember offers to store in the keyring what was typed for the tunnels that are up. After a no
// the person is not asked about that account again.
func OfferToRemember(s *session.Session, agent Agent, tunnels []listing.Tunnel) {
	var ring keyring.Keyring = keyring.SecretService{}
	declined := keyring.DefaultDeclined(os.Getenv)
	offered := make(map[keyring.Account]bool) // tunnels with the same key share its passphrase
	for _, t := range tunnels {
		if t.State != tunnelfile.Up && t.State != tunnelfile.Degraded {
			continue
		}
		for account, answer := range agent.Typed.of(t.Name) {
			if offered[account] || declined.Has(account) {
				continue
			}
			offered[account] = true
			if old, _, err := ring.Get(s.Ctx, account); err != nil || old == answer {
				continue
			}
			reply, err := agent.Ask(s.Ctx, t.Name, "other", "Remember "+account.What()+" in the keyring? (yes/no)", true)
			switch {
			case err != nil:
				return
			case strings.HasPrefix(strings.ToLower(strings.TrimSpace(reply)), "y"):
				if err := ring.Set(s.Ctx, account, answer); err != nil {
					s.Out.Note("Not remembered: %s", err)
				}
			default:
				if err := declined.Add(account); err != nil {
					s.Out.Note("You will be asked again: %s", err)
				}
			}
		}
	}
}
