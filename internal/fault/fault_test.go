package fault

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
)

func TestReasonOf(t *testing.T) {
	for _, c := range []struct {
		what string
		err  error
		want Reason
	}{
		{"nothing", nil, None},
		{"a stranger's error", io.EOF, None},
		{"one of ours", New(Unreachable, "no"), Unreachable},
		{"one that is wrapped", fmt.Errorf("b: %w", New(Password, "no")), Password},
		{"the outermost counts, which knows what the cause means here", Wrap(Unreachable, New(Denied, "in"), "out"), Unreachable},
		{"the most serious of several", errors.Join(New(Unreachable, "a"), fmt.Errorf("x: %w", New(HostKeyChanged, "b")), New(Denied, "c")), HostKeyChanged},
		{"the first of equals", errors.Join(New(Passphrase, "a"), New(Denied, "b")), Passphrase},
		{"an address that cannot be", &net.OpError{Op: "dial", Err: &net.AddrError{Err: "bad", Addr: "x"}}, Settings},
	} {
		if got := ReasonOf(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// TestClasses holds what each word does to a tunnel: the words are a contract.
func TestClasses(t *testing.T) {
	blocks := map[Reason]Class{
		HostKeyUnknown: ClassDistrusted, HostKeyChanged: ClassDistrusted, HostKeyRevoked: ClassDistrusted,
		Passphrase: ClassDenied, PIN: ClassDenied, Password: ClassDenied, Code: ClassDenied, Touch: ClassDenied, Denied: ClassDenied,
		Settings: ClassMistaken,
	}
	for _, r := range Reasons() {
		want, stops := blocks[r]
		if r == TurnedAway {
			want = ClassTurnedAway
		}
		if got := r.Class(); got != want || got.Blocks() != stops {
			t.Errorf("%s is %v (blocks: %v), want %v", r, got, got.Blocks(), want)
		}
	}
}

func TestErrorText(t *testing.T) {
	if got := Wrap(Lost, io.EOF, "connection to %s lost", "h").Error(); got != "connection to h lost: EOF" {
		t.Error(got)
	}
	silent := Because(Lost, io.EOF, "h closed the connection")
	if silent.Error() != "h closed the connection" || !errors.Is(silent, io.EOF) || As(fmt.Errorf("x: %w", silent)) != silent {
		t.Error(silent)
	}
}
