// Package trust is the verb trust: it shows the host keys of a server and records them after a yes. It
// connects to the server itself, without the daemon.
package trust

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/answer"
	"github.com/holdfast/holdfast/cli/layout"
	"github.com/holdfast/holdfast/cli/runas"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Verb is the verb trust.
func Verb() verb.Verb {
	return verb.Verb{
		Name: "trust", Args: "NAME", Group: verb.Finding,
		Summary: "show the server's host keys, and record them after a yes",
		About: `
It shows all host keys of the server with their fingerprints and pictures, and what known_hosts files
have about them, with file and line. After a yes it records the new keys. If you type a fingerprint
instead, it records only that key. Hosts of ProxyJump come first, one after the other. Logging in to
them may ask for a passphrase. It does not log in to the server itself.

If a key is not the known one, it shows both, and the ssh-keygen(1) command that removes the old one.
It records nothing then. If only ssh(1) can reach the server, it runs ssh, which asks. A tunnel that
waited for the key goes on.

A script cannot say yes. It can put the key that it got from the server's owner into known_hosts.`,
		Examples: []verb.Example{
			{Command: "holdfast trust web", Does: "look at the host keys of web's server, and say yes or no"},
			{Command: "sudo holdfast --system trust backup", Does: "the same for a tunnel of the system"},
		},
		NoJSON: "it asks a person; holdfast --json check shows what is known about the host key",
		Setup:  verb.Plain(verb.One(trust)),
		Words:  verb.OneName,
	}
}

// trust shows the host keys of a tunnel's server and of each host on the way to it. It records the new
// ones after a yes. It takes the tunnel's way, and does not log in to the server itself. If only ssh(1)
// can reach the server, it runs ssh.
func trust(s *session.Session, name string) error {
	if _, err := s.Files(name); err != nil {
		return err
	}
	file, err := s.Dirs().Load(name)
	if err != nil {
		return err
	}
	if s.System {
		if _, err := s.Daemon(); err != nil && !errors.Is(err, dbusapi.ErrNoBus) { // dial while this process is still root
			return err
		}
		if err := runas.Become(s, file); err != nil {
			return err
		}
	}
	if err := runas.Setenv(runas.UnitEnvironment(s, file)); err != nil { // ssh_config may refer to these variables
		return err
	}
	var ask asking.Asker
	if agent, ok := answer.AtTerminal(s); ok {
		ask = terminalAsker{agent, name}
	}
	r, err := sshlink.Resolve(s.Ctx, config.Of(file), ask)
	if err != nil {
		return err
	}
	if r.Transport == tunnelfile.TransportOpenSSH && len(r.Hops()) > 0 { // only ssh can log in to the hosts on the way
		if err := mustAsk(); err != nil {
			return err
		}
		err = trustBySSH(s, file)
	} else if err = trustAll(s, r); sshlink.OnlySSH(err) && !r.NoSSH && mustAsk() == nil {
		s.Out.Note("%s", text.Printable(err.Error()))
		s.Out.Note("ssh shows the key instead")
		err = trustBySSH(s, file)
	}
	if err != nil {
		return err
	}
	return goOn(s, name)
}

// trustAll asks about one host after the other until the destination is trusted.
func trustAll(s *session.Session, r *sshlink.Resolved) error {
	asked := ""
	for {
		keys, err := r.HostKeys(s.Ctx)
		if err != nil {
			if s.Ctx.Err() != nil {
				return s.Ctx.Err()
			}
			return err
		}
		if asked == keys.Host+keys.Address { // its key was recorded, and still is not known
			return fmt.Errorf("the host key of %s was recorded in %s, which does not count for it", keys.Host, keys.File)
		}
		showKeys(s, keys, r)
		if err := recordKeys(s, keys); err != nil {
			return err
		}
		if keys.Last {
			return nil
		}
		asked = keys.Host + keys.Address
		s.Out.Line("")
	}
}

// showKeys prints a host's keys and what known_hosts has about each.
func showKeys(s *session.Session, keys hostkeys.ServerKeys, r *sshlink.Resolved) {
	where := ""
	if !keys.Last {
		where = ", on the way to " + r.Host() + ","
	}
	s.Out.Line("%s%s shows %s:", text.Printable(keys.Address), where, text.Count(len(keys.Keys), "host key"))
	if keys.Host != strings.TrimSuffix(keys.Address, ":22") && keys.Host != knownhosts.Normalize(keys.Address) {
		s.Out.Line("(known_hosts knows it as %s)", text.Printable(keys.Host))
	}
	for _, k := range keys.Keys {
		s.Out.Line("")
		s.Out.Line("  %s %s", k.Type, k.Fingerprint)
		switch k.Standing {
		case hostkeys.KeyKnown:
			s.Out.Line("  %s", s.Out.Paint(layout.Green, "known, "+text.Tilde(k.Place)))
			continue // a known key need not be compared
		case hostkeys.KeyRevoked:
			s.Out.Line("  %s", s.Out.Paint(layout.Red, "REVOKED: "+text.Printable(k.Why)))
		case hostkeys.KeyChanged:
			s.Out.Line("  %s", s.Out.Paint(layout.Red, "CHANGED; known until now:"))
			for _, l := range k.Others {
				s.Out.Line("  %s, %s", hostkeys.Fingerprint(l.Key), text.Tilde(l.Place()))
			}
		default:
			s.Out.Line("  new")
		}
		for line := range strings.Lines(k.Randomart) {
			s.Out.Line("  %s", strings.TrimRight(line, "\n"))
		}
	}
	s.Out.Line("")
}

// recordKeys records a host's new keys after a yes. It fails if a key is revoked or has changed.
func recordKeys(s *session.Session, keys hostkeys.ServerKeys) error {
	is := func(standing hostkeys.KeyStanding) func(hostkeys.HostKey) bool {
		return func(k hostkeys.HostKey) bool { return k.Standing == standing }
	}
	switch {
	case slices.ContainsFunc(keys.Keys, is(hostkeys.KeyRevoked)):
		return advice.Error{Err: fmt.Errorf("a host key of %s is revoked", keys.Host), Hint: "do not connect until its owner has explained it"}
	case slices.ContainsFunc(keys.Keys, is(hostkeys.KeyChanged)):
		return advice.Error{
			Err:  fmt.Errorf("the host key of %s is not the one that is known: somebody may be listening in, or the server was set up anew", keys.Host),
			Hint: "ask who runs the server; if the key was changed: " + strings.Join(keys.Mend(), "; ") + "; then holdfast trust again",
		}
	}
	fresh := keys.New()
	if len(fresh) == 0 {
		s.Out.Line("Nothing to record: all its keys are known.")
		return nil
	}
	if keys.File == "" {
		return advice.Error{Err: fmt.Errorf("UserKnownHostsFile=none: there is no file to record host keys in"), Hint: "holdfast explain shows where that is set"}
	}
	if err := mustAsk(); err != nil {
		return err
	}
	s.Out.Note("Compare with what the server's owner says, or with what this command prints on the server's console:")
	s.Out.Note("  for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done")
	what := "this key"
	if len(fresh) > 1 {
		what = fmt.Sprintf("these %d new keys", len(fresh))
	}
	accepted, err := askAccept(s, fmt.Sprintf("Record %s of %s in %s? (yes/no, or a fingerprint)", what, text.Printable(keys.Host), text.Tilde(keys.File)), fresh)
	if err != nil {
		return err
	}
	if len(accepted) == 0 {
		return fmt.Errorf("%w: the host key of %s is not recorded", listing.ErrRefused, keys.Host)
	}
	for _, k := range accepted {
		if err := k.Record(); err != nil {
			return err
		}
	}
	s.Out.Line("Recorded in %s: %s of %s.", text.Tilde(keys.File), text.Count(len(accepted), "key"), text.Printable(keys.Host))
	return nil
}

// askAccept asks which keys are right. The answer yes accepts all, a fingerprint only its key.
func askAccept(s *session.Session, question string, keys []hostkeys.HostKey) ([]hostkeys.HostKey, error) {
	agent, ok := answer.AtTerminal(s)
	if !ok {
		return nil, errNoTerminal
	}
	for {
		answer, err := agent.Ask(s.Ctx, "", "hostkey", question, true)
		if err != nil {
			return nil, err
		}
		switch answer = strings.TrimSpace(answer); strings.ToLower(answer) {
		case "yes":
			return keys, nil
		case "no", "n", "":
			return nil, nil
		}
		for _, k := range keys {
			if answer == k.Fingerprint {
				return []hostkeys.HostKey{k}, nil
			}
		}
		s.Out.Note("Please type yes, no, or the fingerprint that you were given (SHA256:…); no key here has that one.")
	}
}

// errNoTerminal is the error of trust without a terminal.
var errNoTerminal = advice.Misuse{Message: "trust asks a question: it needs a terminal; a script can put the key that the server's owner gave you into known_hosts"}

// mustAsk fails if there is no terminal.
func mustAsk() error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return errNoTerminal
	}
	return nil
}

// terminalAsker asks at this terminal what is needed to log in to a host on the way.
type terminalAsker struct {
	agent  answer.Agent
	tunnel string
}

func (a terminalAsker) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	answer, err := a.agent.Ask(ctx, a.tunnel, string(q.Kind), q.Prompt, q.Echo)
	return []byte(answer), err
}

func (a terminalAsker) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	return a.agent.Confirm(ctx, a.tunnel, string(q.Kind), q.Prompt)
}

// goOn makes a blocked tunnel try again.
func goOn(s *session.Session, name string) error {
	client, err := s.Daemon()
	if errors.Is(err, dbusapi.ErrNoBus) {
		return nil // without a daemon no tunnel waits
	}
	if err != nil {
		return err
	}
	t, err := client.Tunnel(s.Ctx, name)
	if err != nil || t.State != tunnelfile.Blocked {
		return err
	}
	if err := client.Reconnect(s.Ctx, name); err != nil {
		return err
	}
	s.Out.Line(s.Ours("%s tries again; holdfast status %s shows how it goes"), name, name)
	return nil
}
