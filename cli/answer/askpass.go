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

// question is what an SSH_ASKPASS program is asked.
type question struct {
	kind    string // as for the Agent interface
	echo    bool
	confirm bool // a yes or a no
	word    bool // the yes or no is a word on stdout, not an exit status
	tell    bool // nothing is asked: "touch your key"
}

// questionOf tells from the prompt, and from SSH_ASKPASS_PROMPT, what is asked; see
// ssh(1) and ssh-add(1). The sentences are OpenSSH's own; ours about a host key begins as ssh's does.
// Of a question that HOLDFAST_KIND says to be a server's the words say whether it is for a password
// or a code, and nothing else: a server can write what ssh would.
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

// serverAsks is what a server wants to know, from its words in lower case.
func serverAsks(words string) string {
	switch {
	case strings.Contains(words, "code") || strings.Contains(words, "one-time") || strings.Contains(words, "otp"):
		return "code"
	case strings.Contains(words, "password"):
		return "password"
	}
	return "other"
}

// Askpass is the SSH_ASKPASS program of tunnels: it looks into the keyring, and asks the
// daemon, which asks whoever is there. HOLDFAST_NAME says for which tunnel, HOLDFAST_AGAIN
// that the last answer was wrong, HOLDFAST_ECHO that what is typed may be seen, HOLDFAST_KIND what
// kind of question it is, and HOLDFAST_UNATTENDED that no person is to be asked.
//
// Its exit status tells a no, 1, which is a person's last word, from nobody being there, 4.
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
	// No deadline: a person is thinking, and ssh ends us when it no longer wants to know.
	if !q.confirm && !q.tell {
		answer, err := client.Ask(s.Ctx, tunnel, q.kind, prompt, q.echo)
		if err != nil {
			return unanswered(err)
		}
		s.Out.Line("%s", answer)
		return nil
	}
	if before, _, ok := strings.Cut(prompt, "(yes/no"); ok { // who asks says how to answer
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
		return session.ErrSaid
	}
	return nil
}

// remembered is what the keyring has for the account, unless that has just been wrong.
func remembered(s *session.Session, account keyring.Account) (secret string, ok bool) {
	if account == "" || os.Getenv("HOLDFAST_AGAIN") != "" || s.System {
		return "", false
	}
	secret, ok, err := keyring.SecretService{}.Get(s.Ctx, account)
	if errors.Is(err, keyring.ErrLocked) { // that there is none is no news
		s.Out.Note("%s", err)
	}
	return secret, ok
}

// unanswered tells an error of the question's from a person's no.
func unanswered(err error) error {
	if errors.Is(err, listing.ErrRefused) || errors.Is(err, context.Canceled) {
		return err
	}
	return session.NobodyThere{Err: err}
}
