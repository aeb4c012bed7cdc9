package asking

import (
	"testing"

	"github.com/holdfast/holdfast/internal/fault"
)

// TestReason: a field of keyboard-interactive is a password only where that is certain.
func TestReason(t *testing.T) {
	for prompt, want := range map[string]fault.Reason{
		"(me@h) Password: ":                         fault.Password,
		"(me@h) me@h's password:":                   fault.Password,
		"(me@h) Password for me@h:":                 fault.Password,
		"(me@h) asks:\nWelcome to h\nPassword: ":    fault.Password,
		"(me@h) LDAP Password: ":                    fault.Password,
		"(me@h) New password: ":                     fault.Code,
		"(me@h) asks:\nIt expired.\nNew password: ": fault.Code,
		"(me@h) One-time password: ":                fault.Code,
		"(me@h) Verification code: ":                fault.Code,
		"(me@h) Password or code: ":                 fault.Code,
		"(me@h) Enter PIN for key: ":                fault.Code,
		"(me@h) asks:\nPassword:\nSecond factor: ":  fault.Code,
		"(me@h) (root@elsewhere) Password: ":        fault.Code,
	} {
		if got := (Question{Kind: KindInteractive, Subject: "me@h", Prompt: prompt}).Reason(); got != want {
			t.Errorf("%q: %s, want %s", prompt, got, want)
		}
	}
	if got := (Question{Kind: KindInteractive, Prompt: "(me@h) Password: ", Echo: true}).Reason(); got != fault.Code {
		t.Errorf("a password that shows: %s", got)
	}
}
