package tunnelfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// SettingsHash tells one set of settings from another as far as a worker acts on them.
// What systemd or the daemon acts on ([Unit], [Service], OnlyOn=, Metered=, …), Tags, where a
// setting stands and the Description are not in it: a change of those alone is no
// reason for a worker to read its file again.
func SettingsHash(t Tunnel) string {
	t.Path, t.DropIns, t.Text, t.Description = "", nil, "", ""
	t.Unit, t.Service, t.Tags = nil, nil, nil
	t.Metered, t.OnlyOn, t.NeverOn = false, nil, nil
	forwards := make([]Forward, len(t.Forwards))
	for i, f := range t.Forwards {
		f.Path, f.Line = "", 0
		forwards[i] = f
	}
	t.Forwards = forwards
	ssh := make([]Setting, len(t.SSH))
	for i, s := range t.SSH {
		ssh[i] = Setting{Key: s.Key, Value: s.Value}
	}
	t.SSH = ssh
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings, numbers and slices of them: cannot fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
