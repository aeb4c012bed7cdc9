package answer

import "testing"

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
