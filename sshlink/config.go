package sshlink

import (
	"context"
	"errors"
	"log/slog"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Config is where a tunnel goes and how, as its file says it.
type Config struct {
	Name        string               // of the tunnel, for messages and hints
	Destination string               // what ssh(1) takes: alias, user@host, ssh://user@host:port
	Settings    []tunnelfile.Setting // the file's [SSH] section; it beats every ssh_config(5) file
	ConfigFile  string               // as ssh -F: read in place of the person's and the system's ssh_config; "none" for no file; usually empty
	Transport   tunnelfile.Transport // empty is auto
	Log         *slog.Logger         // may be nil
	Ask         Asker                // nil: nobody is there
}

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// Asker puts questions to a person. An implementation returns when ctx ends, and
// returns an error that wraps [ErrNobody] when there is nobody to ask, or [ErrNoAnswer]
// when whoever was asked said nothing in time; any other error means that the person
// declined.
type Asker interface {
	// Ask returns what the person typed. The caller wipes it once it has served.
	Ask(ctx context.Context, q Question) ([]byte, error)
	// Confirm returns whether the person said yes.
	Confirm(ctx context.Context, q Question) (bool, error)
}

// A Notifier is an Asker that can also show what wants no answer: that a security key waits to
// be touched. Where an Asker is none, the log alone says it.
type Notifier interface {
	// Notify shows the question's prompt until ctx ends.
	Notify(ctx context.Context, q Question)
}

// ErrNobody is what an Asker returns when there is nobody to ask.
var ErrNobody = errors.New("nobody to ask")

// ErrNoAnswer is what an Asker returns when the person asked did not answer in time.
var ErrNoAnswer = errors.New("nobody answered")

// Kind says what a Question asks for.
type Kind string

// The kinds of question.
const (
	KindPassphrase  Kind = "passphrase"           // of the key file Subject
	KindPassword    Kind = "password"             // of the account Subject, "user@host"
	KindInteractive Kind = "keyboard-interactive" // one field that the server at Subject asks for
	KindHostKey     Kind = "host-key"             // a yes to the unknown host key of Subject
	KindPIN         Kind = "pin"                  // of the security key's file, or of the token, Subject; a few wrong ones lock it
	KindTouch       Kind = "touch"                // a notice, see Notifier: a security key waits for a finger
)

// Question is one thing a person is asked.
type Question struct {
	Kind    Kind
	Subject string // what the answer belongs to; an Asker that remembers keeps it under Kind and Subject
	Prompt  string // the whole question, for people; several lines for a host key
	Echo    bool   // the answer may be shown while it is typed
	Again   bool   // the last answer to this very question was wrong: do not repeat a remembered one
}
