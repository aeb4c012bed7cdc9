package tunnelfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// SettingsHash is a hash of the settings that a worker acts on. It leaves out what systemd or the
// daemon acts on ([Unit], [Service], OnlyOn=, Metered=, …), the Description, Tags, and the lines
// of settings: if only these change, the worker does not have to read its file again.
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
