package cli

import (
	"testing"
)

// TestQuestions: OpenSSH's own sentences, and ours.
func TestQuestions(t *testing.T) {
	for _, c := range []struct {
		prompt, askpassPrompt string
		want                  question
		kind                  string
	}{
		{"Enter passphrase for key '/home/me/.ssh/id_ed25519': ", "", question{kind: "passphrase"}, ""},
		{"me@host's password: ", "", question{kind: "password"}, ""},
		{"(me@host) Password: ", "", question{kind: "password"}, ""},
		{"(me@host) Verification code: ", "", question{kind: "code"}, ""},
		{"Enter PIN for ED25519-SK key /home/me/.ssh/id_ed25519_sk: ", "", question{kind: "pin"}, ""},
		{"Confirm user presence for key ED25519-SK SHA256:x", "none", question{kind: "touch", tell: true}, ""},
		{"Allow use of key me@laptop?\nKey fingerprint SHA256:x.", "confirm", question{kind: "other", confirm: true}, ""},
		{"The authenticity of host 'h (::1)' can't be established.\nED25519 key fingerprint is SHA256:x.\nAre you sure you want to continue connecting (yes/no/[fingerprint])? ", "", question{kind: "hostkey", confirm: true, word: true}, ""},
		{"The authenticity of host 'h' can't be established.\nssh-ed25519 SHA256:x\nAre you sure you want to continue connecting (yes/no)? ", "", question{kind: "hostkey", confirm: true, word: true}, ""},
		{"(me@host) Your pet's name? ", "", question{kind: "other"}, ""},
		{"(me@host) asks:\nThe authenticity of host 'h' can't be established.\nAre you sure (yes/no)? ", "", question{kind: "other"}, "keyboard-interactive"},
		{"(me@host) Enter passphrase for key '/home/me/.ssh/id_ed25519': ", "", question{kind: "other"}, "keyboard-interactive"},
		{"(me@host) Password: ", "", question{kind: "password"}, "keyboard-interactive"},
	} {
		if got := questionOf(c.prompt, c.askpassPrompt, c.kind); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.prompt, got, c.want)
		}
	}
}

func TestChange(t *testing.T) {
	const text = "[Tunnel]\n# where\nDestination=a\nLocalForward=1:b:1\n"
	for _, c := range []struct {
		changes []string
		want    string
	}{
		{[]string{"Destination=c"}, "[Tunnel]\n# where\nDestination=c\nLocalForward=1:b:1\n"},
		{[]string{"LocalForward=2:b:2", "LocalForward=3:b:3"}, "[Tunnel]\n# where\nDestination=a\nLocalForward=2:b:2\nLocalForward=3:b:3\n"},
		{[]string{"LocalForward="}, "[Tunnel]\n# where\nDestination=a\n"},
		{[]string{"SSH.Port=22", "Tunnel.Start=manual"}, "[Tunnel]\n# where\nDestination=a\nLocalForward=1:b:1\nStart=manual\n\n[SSH]\nPort=22\n"},
		{[]string{"ExecUp=logger a=b"}, "[Tunnel]\n# where\nDestination=a\nLocalForward=1:b:1\nExecUp=logger a=b\n"},
	} {
		if got, err := change(text, c.changes); err != nil || got != c.want {
			t.Errorf("%q: %v\n got %q\nwant %q", c.changes, err, got, c.want)
		}
	}
	if _, err := change(text, []string{"Start"}); err == nil {
		t.Error("a word without = was taken")
	}
}
