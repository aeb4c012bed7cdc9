package sshlink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/text"
)

// authenticator chooses, one after the other, the ways to authenticate: each key alone, so
// that messages can say which were tried.
type authenticator struct {
	r       *Resolved
	ctx     context.Context // of the attempt; ends also when the server goes away
	attempt *asking.Attempt
	agent   *agentConn // nil: none

	looked  bool // for keys, into the agent and files
	all     []*identity
	untried []*identity
	offered []*identity
	partial int // partial successes seen

	passwords, interactive int // tries of either

	wanted string   // what a person was needed for, empty: nothing
	late   bool     // and the server did not wait for it
	notes  []string // keys that could not be offered, and why
}

// defaultMethods is ssh's order of PreferredAuthentications, without what needs Kerberos or
// the host's own key.
var defaultMethods = []string{"publickey", "keyboard-interactive", "password"}

// methods are the ones that are switched on, in order of preference.
func (r *Resolved) methods() []string {
	order := r.List("preferredauthentications")
	if len(order) == 0 {
		order = defaultMethods
	}
	enabled := map[string]string{
		"publickey":            "pubkeyauthentication",
		"keyboard-interactive": "kbdinteractiveauthentication",
		"password":             "passwordauthentication",
	}
	var methods []string
	for _, m := range order {
		if enabled[m] != "" && !r.Off(enabled[m]) {
			methods = append(methods, m)
		}
	}
	return methods
}

// prompts is how often a person may answer wrong.
func (a *authenticator) prompts() int { return a.r.Number("numberofpasswordprompts") }

// next is the ssh.ClientAuthCallback.
func (a *authenticator) next(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if n := len(state.PartialSuccessMethods); n > a.partial {
		// The server wants more. Keys that it turned down before may do now.
		a.partial = n
		if len(a.offered) > 0 {
			a.untried = append(a.untried, a.offered[:len(a.offered)-1]...)
			a.offered = nil
		}
	}
	if slices.ContainsFunc(a.offered, func(id *identity) bool { return id.barred }) && a.attempt.MayFallBack {
		return nil, fault.Because(fault.Denied, errBarred, "%s", a.describe(state.AllowedMethods))
	}
	for _, method := range a.r.methods() {
		if !slices.Contains(state.AllowedMethods, method) {
			continue
		}
		switch method {
		case "publickey":
			if m := a.nextKey(); m != nil {
				return m, nil
			}
		case "keyboard-interactive":
			if a.interactive < a.prompts() && !a.r.Yes("batchmode") {
				a.interactive++
				return ssh.KeyboardInteractive(a.answer), nil
			}
		case "password":
			if a.passwords < a.prompts() && !a.r.Yes("batchmode") {
				a.passwords++
				return ssh.PasswordCallback(a.password), nil
			}
		}
	}
	return nil, a.refused(state)
}

// nextKey offers the next key, nil when all were offered.
func (a *authenticator) nextKey() ssh.AuthMethod {
	if !a.looked {
		a.looked = true
		a.agent = a.r.openAgent(a.ctx)
		a.all = a.identities()
		a.untried = slices.Clone(a.all)
	}
	for len(a.untried) > 0 {
		id := a.untried[0]
		a.untried = a.untried[1:]
		signer := a.signer(id)
		if signer == nil {
			continue
		}
		a.offered = append(a.offered, id)
		a.r.Log.Debug("offering key", "key", id.name, "fingerprint", fingerprint(id.public))
		return ssh.PublicKeys(signer)
	}
	return nil
}

// password asks for the account's password.
func (a *authenticator) password() (string, error) {
	account := a.r.Account()
	answer, err := a.ask(asking.Question{
		Kind: asking.KindPassword, Subject: account, Again: a.passwords > 1,
		Prompt: account + "'s password: ",
	})
	if err != nil {
		a.passwords = a.prompts() // asking again would not help
		a.needs("needs a password for "+account+a.refusedKeys(), err)
	}
	defer clear(answer)
	return string(answer), err
}

// answer puts the server's questions to the person, one by one.
func (a *authenticator) answer(name, instruction string, questions []string, echos []bool) ([]string, error) {
	account := a.r.Account()
	answers := make([]string, len(questions))
	for i, q := range questions {
		var b strings.Builder
		for _, head := range []string{name, instruction} {
			if head = strings.TrimSpace(printableLines(head)); head != "" && i == 0 {
				b.WriteString(head + "\n")
			}
		}
		fmt.Fprintf(&b, "(%s) %s", account, printableLines(q))
		answer, err := a.ask(asking.Question{
			Kind: asking.KindInteractive, Subject: account, Prompt: b.String(), Echo: echos[i], Again: a.interactive > 1,
		})
		if err != nil {
			a.interactive = a.prompts()
			a.needs(fmt.Sprintf("needs an answer for %s: %q", account, text.FromPeer(q))+a.refusedKeys(), err)
			return nil, err
		}
		answers[i] = string(answer)
		clear(answer)
	}
	return answers, nil
}

// needs notes what a person was needed for; the first such thing is what is said. A question
// that was cut off by the end of the attempt is none.
func (a *authenticator) needs(what string, err error) {
	left := errors.Is(context.Cause(a.ctx), errServerLeft)
	if a.wanted == "" && (a.ctx.Err() == nil || left) {
		a.wanted = what + unanswered(err)
		a.late = left
	}
}

// unanswered says why a question has no answer, where that is not that nobody is there.
func unanswered(err error) string {
	switch {
	case err == nil, errors.Is(err, asking.ErrNobody):
		return ""
	case errors.Is(err, errServerLeft):
		return "; nobody answered before the server hung up"
	case errors.Is(err, asking.ErrNoAnswer):
		return "; " + err.Error()
	}
	return "; the question was declined"
}

// refused is the error for when no way is left.
func (a *authenticator) refused(state *ssh.ClientAuthContext) error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	if a.wanted != "" {
		return fault.New(fault.Denied, "%s%s", a.wanted, a.notTried())
	}
	return fault.New(fault.Denied, "%s", a.describe(state.AllowedMethods))
}

// describe says what was tried, in one sentence.
func (a *authenticator) describe(allowed []string) string {
	return a.r.refusedEveryWay(a.tried(), allowed) + a.notTried()
}

// refusedEveryWay is that sentence for either transport. Where nothing is known of what was tried,
// tried is nil.
func (r *Resolved) refusedEveryWay(tried, allowed []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s refused every way to log in as %s", r.HostName, r.User)
	if len(tried) > 0 {
		fmt.Fprintf(&b, "; tried %s", strings.Join(tried, ", "))
	} else if tried != nil && slices.Contains(allowed, "publickey") {
		b.WriteString("; there was no key to try")
	}
	if len(allowed) > 0 {
		fmt.Fprintf(&b, "; it takes %s", text.FromPeer(strings.Join(allowed, ", ")))
	}
	if slices.Contains(allowed, "gssapi-with-mic") && r.mayUseTicket() && !slices.Contains(tried, "gssapi-with-mic") {
		b.WriteString("; there is no Kerberos ticket that could be used: run kinit")
	}
	return b.String()
}

// notTried says which keys were of no use, and why.
func (a *authenticator) notTried() string { return notTried(a.notes) }

func notTried(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "; not tried: " + strings.Join(notes, ", ")
}

// refusedKeys says which keys the server did not take, for somebody who is asked for a
// password where a key should have done.
func (a *authenticator) refusedKeys() string {
	var refused []string
	for _, id := range a.offered {
		if !id.unsigned {
			refused = append(refused, id.name)
		}
	}
	if len(refused) == 0 {
		return ""
	}
	return "; the server refused " + strings.Join(refused, ", ")
}

func (a *authenticator) tried() []string {
	tried := []string{}
	for _, id := range a.offered {
		tried = append(tried, id.name)
	}
	if a.interactive > 0 {
		tried = append(tried, "keyboard-interactive")
	}
	if a.passwords > 0 {
		tried = append(tried, "password")
	}
	return tried
}

// close lets go of the agent.
func (a *authenticator) close() {
	if a.agent != nil {
		a.agent.Close()
	}
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		end := ""
		if strings.HasSuffix(line, " ") {
			end = " "
		}
		lines[i] = strings.TrimRight(text.Bound(text.Printable(line), text.MaxPeer), " ") + end
	}
	return strings.Join(lines, "\n")
}
