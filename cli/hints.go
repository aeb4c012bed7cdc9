package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// hintFor is what a person can do about a tunnel that is stuck, or not well; "" where nothing need be done.
func hintFor(t dbusapi.Tunnel) string {
	status := strings.ToLower(t.Status)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(status, w) })
	}
	switch {
	case has("holdfast trust ", "holdfast --system trust "): // it says itself what to do
		return ""
	case t.State == tunnelfile.Failed:
		return fmt.Sprintf("holdfast logs %s -n 20 shows what it said last", t.Name)
	case t.State == tunnelfile.Blocked && has("host key") && has("has changed"):
		return fmt.Sprintf("holdfast trust %s shows both keys, and how to take the old one out of known_hosts", t.Name)
	case t.State == tunnelfile.Blocked && has("host key", "known_hosts"):
		return fmt.Sprintf("holdfast trust %s shows the key and asks whether it is right", t.Name)
	case t.State == tunnelfile.Blocked && has("needs a ", "needs an answer ", "needs the pin "):
		return fmt.Sprintf("holdfast up %s in a terminal asks for it there; a key can be handed to the agent by ssh-add", t.Name)
	case t.State == tunnelfile.Blocked && has("log in", "authenticate", "authentication", "passphrase", "password", "permission denied", "key"):
		return fmt.Sprintf("does %s log in? ssh-add -l lists the keys your agent holds; then holdfast up %s", sshCommand(t), t.Name)
	case t.State == tunnelfile.Blocked:
		return fmt.Sprintf("mend it with holdfast edit %s; holdfast logs %s has more", t.Name, t.Name)
	case t.State == tunnelfile.Degraded:
		return fmt.Sprintf("what else it carries works, and it goes on trying; holdfast status %s shows each forward", t.Name)
	case t.State == tunnelfile.Offline && has("portal"):
		return "log in to this network with a browser; the tunnel follows by itself"
	}
	return ""
}

// sshCommand is the ssh that logs in where the tunnel does.
func sshCommand(t dbusapi.Tunnel) string {
	words := []string{"ssh"}
	// What drop-ins say is not seen here; it is a hint.
	if file, problems := tunnelfile.Parse(t.Name, "", t.Text); len(problems) == 0 {
		for _, setting := range file.SSH {
			words = append(words, "-o", tunnelfile.ShellWord(setting.Key+"="+setting.Value))
		}
	}
	return strings.Join(append(words, tunnelfile.ShellWord(t.Destination)), " ")
}
