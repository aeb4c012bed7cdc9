package login

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
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
)

// Authenticator chooses the ways to authenticate, one after the other. It offers each key by
// itself, so that messages can say which keys were tried.
type Authenticator struct {
	o           *config.Options
	ctx         context.Context // of the attempt; also ends when the server closes the connection
	mayFallBack bool            // see New
	attempt     *asking.Attempt
	lost        func() error // why the connection cannot be used any more; nil while it can
	agent       *agentConn   // nil: none

	looked  bool // the agent and the files were searched for keys
	all     []*identity
	untried []*identity
	offered []*identity
	partial int // partial successes seen

	passwords, interactive int // how often each was tried
	questions              int // of the server so far
	begun                  bool

	wanted string       // what a person was needed for; empty: nothing
	reason fault.Reason // the Reason for wanted
	late   bool         // the server did not wait for the person
	notes  []string     // keys that could not be offered, and why
}

// New makes an Authenticator for one login. With mayFallBack the login ends with ErrBarred if an
// agent refuses to sign for us, because ssh itself may succeed. lost returns why the connection
// cannot be used any more, or nil while it can.
func New(ctx context.Context, o *config.Options, a *asking.Attempt, mayFallBack bool, lost func() error) *Authenticator {
	return &Authenticator{ctx: ctx, o: o, attempt: a, mayFallBack: mayFallBack, lost: lost}
}

// Begun says whether the server has answered a first request. Its host key was accepted before
// that.
func (a *Authenticator) Begun() bool { return a.begun }

// MaxQuestions is how many questions of a server are put to a person in one login.
const MaxQuestions = 32

// defaultMethods is ssh's default for PreferredAuthentications, without the methods that need
// Kerberos or the host key of this machine.
var defaultMethods = []string{"publickey", "keyboard-interactive", "password"}

// methods are the methods that are switched on, in order of preference.
func methods(o *config.Options) []string {
	order := o.List("preferredauthentications")
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
		if enabled[m] != "" && !o.Off(enabled[m]) {
			methods = append(methods, m)
		}
	}
	return methods
}

// prompts is how often a person may give a wrong answer.
func (a *Authenticator) prompts() int { return a.o.Number("numberofpasswordprompts") }

// Next is the ssh.ClientAuthCallback.
func (a *Authenticator) Next(state *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if err := a.lost(); err != nil {
		return nil, err // else x/crypto would take it for a refusal by the server
	}
	a.begun = true
	if n := len(state.PartialSuccessMethods); n > a.partial {
		// The server wants more. It may now accept keys that it refused before.
		a.partial = n
		if len(a.offered) > 0 {
			a.untried = append(a.untried, a.offered[:len(a.offered)-1]...)
			a.offered = nil
		}
	}
	if slices.ContainsFunc(a.offered, func(id *identity) bool { return id.barred }) && a.mayFallBack {
		return nil, fault.Because(fault.Denied, ErrBarred, "%s", a.describe(state.AllowedMethods))
	}
	for _, method := range methods(a.o) {
		if !slices.Contains(state.AllowedMethods, method) {
			continue
		}
		switch method {
		case "publickey":
			if m := a.nextKey(); m != nil {
				return m, nil
			}
		case "keyboard-interactive":
			if a.interactive < a.prompts() && !a.o.Yes("batchmode") {
				a.interactive++
				return ssh.KeyboardInteractive(a.answer), nil
			}
		case "password":
			if a.passwords < a.prompts() && !a.o.Yes("batchmode") {
				a.passwords++
				return ssh.PasswordCallback(a.password), nil
			}
		}
	}
	return nil, a.refused(state)
}

// nextKey offers the next key. It returns nil if all were offered.
func (a *Authenticator) nextKey() ssh.AuthMethod {
	if !a.looked {
		a.looked = true
		a.agent = openAgent(a.ctx, a.o)
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
		a.o.Log.Debug("offering key", "key", id.name, "fingerprint", hostkeys.Fingerprint(id.public))
		return ssh.PublicKeys(signer)
	}
	return nil
}

// password asks for the account's password.
func (a *Authenticator) password() (string, error) {
	account := a.o.Account()
	answer, err := a.ask(asking.Question{
		Kind: asking.KindPassword, Subject: account, Retry: a.passwords > 1,
		Prompt: account + "'s password: ",
	})
	if err != nil {
		a.passwords = a.prompts() // asking again would not help
		a.needs(fault.Password, "needs a password for "+account+a.refusedKeys(), err)
	}
	defer clear(answer)
	return string(answer), err
}

// answer asks the person the server's questions, one by one.
func (a *Authenticator) answer(name, instruction string, questions []string, echos []bool) ([]string, error) {
	account := a.o.Account()
	answers := make([]string, len(questions))
	for i, q := range questions {
		if a.questions++; a.questions > MaxQuestions {
			a.interactive = a.prompts()
			err := TooManyQuestions(a.o)
			a.wanted, a.reason = err.Error(), err.Reason()
			return nil, err
		}
		heads := []string{name, instruction}
		if i > 0 {
			heads = nil
		}
		question := asking.Question{
			Kind: asking.KindInteractive, Subject: account, Prompt: serverQuestion(account, q, heads...), Echo: echos[i], Retry: a.interactive > 1,
		}
		answer, err := a.ask(question)
		if err != nil {
			a.interactive = a.prompts()
			a.needs(question.Reason(), fmt.Sprintf("needs an answer for %s: %q", account, text.FromPeer(q))+a.refusedKeys(), err)
			return nil, err
		}
		answers[i] = string(answer)
		clear(answer)
	}
	return answers, nil
}

// serverQuestion is a question of the server as a person reads it. The account comes before any
// word of the server, so that the question cannot pass for one of ssh or Holdfast. Without a name
// and an instruction the text is the same as ssh's, so that a remembered answer serves both
// transports.
func serverQuestion(account, question string, heads ...string) string {
	said := ""
	for _, head := range heads {
		if head = strings.TrimSpace(PrintableLines(head)); head != "" {
			said += head + "\n"
		}
	}
	if said != "" {
		said = "asks:\n" + said
	}
	return fmt.Sprintf("(%s) %s%s", account, said, PrintableLines(question))
}

// TooManyQuestions is the error for a server that asks more than MaxQuestions.
func TooManyQuestions(o *config.Options) *fault.Error {
	return fault.New(fault.Denied, "%s asks more than %d questions", o.HostName, MaxQuestions)
}

// needs records what a person was needed for. Only the first such thing is reported. A question
// that the end of the attempt cut off does not count, unless the server closed the connection.
func (a *Authenticator) needs(reason fault.Reason, what string, err error) {
	left := errors.Is(context.Cause(a.ctx), ErrServerLeft)
	if a.wanted == "" && (a.ctx.Err() == nil || left) {
		a.wanted, a.reason = what+Unanswered(err), reason
		a.late = left
	}
}

// Late is the error for a server that did not wait for an answer, or nil if it did. Another attempt
// would end in the same way, and servers count such attempts.
func (a *Authenticator) Late() error {
	if !a.late {
		return nil
	}
	return fault.New(a.reason, "%s", a.wanted)
}

// refused is the error if no way to log in is left.
func (a *Authenticator) refused(state *ssh.ClientAuthContext) error {
	if a.ctx.Err() != nil {
		return context.Cause(a.ctx)
	}
	if a.wanted != "" {
		return fault.New(a.reason, "%s%s", a.wanted, NotTried(a.notes))
	}
	reason := fault.Denied
	if slices.ContainsFunc(a.offered, (*identity).untouched) {
		reason = fault.Touch
	}
	return fault.New(reason, "%s", a.describe(state.AllowedMethods))
}

// describe says what was tried, in one sentence.
func (a *Authenticator) describe(allowed []string) string {
	return RefusedEveryWay(a.o, a.Tried(), allowed) + NotTried(a.notes)
}

// refusedKeys lists the keys that the server refused, for the end of a sentence. It is for a person
// who is asked for a password and has a key that should have been enough.
func (a *Authenticator) refusedKeys() string {
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

// Tried are the ways to log in that were tried.
func (a *Authenticator) Tried() []string {
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

// Close closes the connection to the agent.
func (a *Authenticator) Close() {
	if a.agent != nil {
		a.agent.Close()
	}
}
