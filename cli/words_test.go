package cli

import (
	"testing"
)

// TestQuestions: OpenSSH's own sentences, and ours.
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
