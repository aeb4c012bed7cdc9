package login

import (
	"testing"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestMissingKeyIsToldOnce asks for keys as often as a login with many tries does.
func TestMissingKeyIsToldOnce(t *testing.T) {
	o, err := config.Resolve(t.Context(), config.Source{Destination: "me@host", ConfigFile: "none", Settings: []tunnelfile.Setting{
		{Key: "IdentityFile", Value: "/nonexistent"}, {Key: "IdentityAgent", Value: "none"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := New(t.Context(), o, nil, false, func() error { return nil })
	for range 3 {
		if a.nextKey() != nil {
			t.Error("a key that is not there")
		}
	}
	if got := NotTried(a.notes); got != "; not tried: /nonexistent: no such file" {
		t.Errorf("%q", got)
	}
}
