package answers

import (
	"context"
	"testing"

	"github.com/holdfast/holdfast/internal/asking"
)

func TestShared(t *testing.T) {
	ctx, asked := t.Context(), 0
	a := &Shared{watched: &watched{Asker: askFunc(func(q asking.Question) ([]byte, error) {
		asked++
		return []byte{byte('0' + asked)}, nil
	}), changed: func() {}}}
	pass := asking.Question{Kind: asking.KindPassphrase, Subject: "id", Prompt: "Passphrase: "}
	wrong := pass
	wrong.Retry = true
	for _, c := range []struct {
		what   string
		before func()
		q      asking.Question
		want   string
	}{
		{"one connection", func() {}, pass, "1"},
		{"asked again", func() {}, pass, "2"},
		{"several", func() { a.Remember(true) }, pass, "3"},
		{"the second", func() {}, pass, "3"},
		{"it was wrong", func() {}, wrong, "4"},
		{"the third", func() { a.Remember(true) }, pass, "4"},
		{"another key", func() {}, asking.Question{Kind: asking.KindPassphrase, Subject: "other"}, "5"},
		{"a code, good for one login", func() {}, asking.Question{Kind: asking.KindInteractive, Prompt: "Code: "}, "6"},
		{"and the next", func() {}, asking.Question{Kind: asking.KindInteractive, Prompt: "Code: "}, "7"},
		{"a login was refused", a.Wrong, pass, "8"},
		{"all connections stand", func() { a.Remember(false) }, pass, "9"},
	} {
		c.before()
		if got, err := a.Ask(ctx, c.q); err != nil || string(got) != c.want {
			t.Errorf("%s: answered %q, %v, want %q", c.what, got, err, c.want)
		}
	}
	if len(a.answers) != 0 {
		t.Error("answers are kept that no connection needs")
	}
}

// askFunc is an Asker that answers as it says.
type askFunc func(asking.Question) ([]byte, error)

func (f askFunc) Ask(_ context.Context, q asking.Question) ([]byte, error) { return f(q) }

func (f askFunc) Confirm(context.Context, asking.Question) (bool, error) { return false, nil }
