package answer

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/keyring"
	"github.com/holdfast/holdfast/internal/listing"
)

// question is what ssh asks its SSH_ASKPASS program.
type question struct {
	kind    string // as in the D-Bus interface Agent
	echo    bool
	confirm bool // a yes or a no
	word    bool // the answer is a word on stdout, not an exit status
	tell    bool // a notice that needs no answer: "touch your key"
}

// questionOf finds out what is asked from the prompt and SSH_ASKPASS_PROMPT, see ssh(1) and ssh-add(1).
// The sentences are OpenSSH's. Holdfast's own question about a host key begins as ssh's does.
//
// HOLDFAST_KIND marks a question that comes from the server. Its words only decide between a password
// and a code, because a server can imitate ssh's sentences.
func questionOf(prompt, askpassPrompt, kind string) question {
	p := strings.ToLower(prompt)
	switch {
	case kind == string(asking.KindInteractive):
		return question{kind: serverAsks(p)}
	case askpassPrompt == "none":
		return question{kind: "touch", tell: true}
	case askpassPrompt == "confirm":
		return question{kind: "other", confirm: true}
	case strings.Contains(p, "(yes/no") && strings.Contains(p, "the authenticity of host "):
		return question{kind: "hostkey", confirm: true, word: true}
	case strings.Contains(p, "(yes/no"):
		return question{kind: "other", confirm: true, word: true}
	case strings.Contains(p, "passphrase"):
		return question{kind: "passphrase"}
	case strings.Contains(p, "pin for") || strings.HasPrefix(p, "enter pin"):
		return question{kind: "pin"}
	}
	return question{kind: serverAsks(p)}
}

// serverAsks is the kind of a server's question, by its words in lower case.
func serverAsks(words string) string {
	switch {
	case strings.Contains(words, "code") || strings.Contains(words, "one-time") || strings.Contains(words, "otp"):
		return "code"
	case strings.Contains(words, "password"):
		return "password"
	}
	return "other"
}

// Askpass is the SSH_ASKPASS program of tunnels. It looks in the keyring, then asks the daemon, which
// passes the question to a registered agent.
//
// HOLDFAST_NAME is the tunnel. If HOLDFAST_AGAIN is set, the last answer was wrong. If HOLDFAST_ECHO is
// set, the answer may be shown while it is typed. HOLDFAST_KIND is the kind of question. If
// HOLDFAST_UNATTENDED is set, no person is asked.
//
// The exit status is 1 if a person said no, and 4 if nobody could be asked.
func Askpass(s *session.Session, args []string) error {
	if len(args) != 1 {
		return advice.Misuse{Message: "askpass is for ssh to call, with one prompt", Usage: "SSH_ASKPASS_REQUIRE=force SSH_ASKPASS=…"}
	}
	prompt, tunnel := args[0], os.Getenv("HOLDFAST_NAME")
	q := questionOf(prompt, os.Getenv("SSH_ASKPASS_PROMPT"), os.Getenv("HOLDFAST_KIND"))
	q.echo = os.Getenv("HOLDFAST_ECHO") != ""
	if secret, ok := remembered(s, keyring.AccountOf(q.kind, prompt)); ok {
		s.Out.Line("%s", secret)
		return nil
	}
	if os.Getenv("HOLDFAST_UNATTENDED") != "" {
		return session.NobodyThere{Err: errors.New("not remembered")}
	}
	client, err := s.Daemon()
	if err != nil {
		return session.NobodyThere{Err: err}
	}
	// No deadline: a person may take long, and ssh ends this process when it no longer needs an answer.
	if !q.confirm && !q.tell {
		answer, err := client.Ask(s.Ctx, tunnel, q.kind, prompt, q.echo)
		if err != nil {
			return unanswered(err)
		}
		s.Out.Line("%s", answer)
		return nil
	}
	if before, _, ok := strings.Cut(prompt, "(yes/no"); ok { // the agent adds its own "(yes/no)"
		prompt = strings.TrimRight(before, " ") + "?"
	}
	yes, err := client.Confirm(s.Ctx, tunnel, q.kind, prompt)
	switch {
	case err != nil:
		return unanswered(err)
	case q.word && yes:
		s.Out.Line("yes")
	case q.word:
		s.Out.Line("no")
	case !yes:
		return session.ErrPrinted
	}
	return nil
}

// remembered is the keyring's secret for the account. After a wrong answer it is not used, nor for the
// system's tunnels.
func remembered(s *session.Session, account keyring.Account) (secret string, ok bool) {
	if account == "" || os.Getenv("HOLDFAST_AGAIN") != "" || s.System {
		return "", false
	}
	secret, ok, err := keyring.SecretService{}.Get(s.Ctx, account)
	if errors.Is(err, keyring.ErrLocked) { // a keyring that is missing is not worth a note
		s.Out.Note("%s", err)
	}
	return secret, ok
}

// unanswered separates a refusal or an interrupt from a question that reached nobody.
func unanswered(err error) error {
	if errors.Is(err, listing.ErrRefused) || errors.Is(err, context.Canceled) {
		return err
	}
	return session.NobodyThere{Err: err}
}
