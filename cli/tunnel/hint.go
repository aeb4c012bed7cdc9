package tunnel

import (
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Hint is the next step for a tunnel that is not well: what a person can do, or what ends the wait. It
// depends on the state and its Reason, never on a sentence. It is "" if nothing need be done.
func Hint(t listing.Tunnel) string {
	if hint, ok := hints[t.Reason]; ok {
		return hint(t)
	}
	switch t.State {
	case tunnelfile.Blocked:
		return fmt.Sprintf("holdfast check %s looks for what is wrong; holdfast logs %s has more", t.Name, t.Name)
	case tunnelfile.Failed:
		return fmt.Sprintf("holdfast logs %s -n 20 shows what it said last", t.Name)
	case tunnelfile.Degraded:
		return fmt.Sprintf("what else it carries works, and it goes on trying; holdfast status %s shows each forward", t.Name)
	case tunnelfile.Connecting, tunnelfile.Retrying, tunnelfile.Offline:
		return fmt.Sprintf("it goes on trying; holdfast down %s stops it", t.Name)
	}
	return ""
}

// hints are the next steps by Reason.
var hints = map[fault.Reason]func(listing.Tunnel) string{
	fault.Network: says("holdfast check NAME shows which networks the machine has"),
	fault.Portal:  says("log in to this network with a browser; the tunnel then connects by itself"),
	fault.Rule:    says("its file forbids this network: on another one it starts by itself; holdfast edit NAME changes OnlyOn=, NeverOn= or Metered="),
	fault.Sleep:   says("it goes on when the machine wakes"),

	fault.Unreachable: func(t listing.Tunnel) string {
		return fmt.Sprintf("it goes on trying; is %s right? holdfast set %s Destination=… changes it, holdfast down %s stops it", t.Destination, t.Name, t.Name)
	},
	fault.Lost:       says("it goes on trying; holdfast logs NAME shows why the connection ended"),
	fault.TurnedAway: says("the server has too many logins or punishes this address: it tries again later by itself, and trying sooner makes that longer"),

	fault.HostKeyUnknown: says("holdfast trust NAME shows the key and asks whether it is right"),
	fault.HostKeyChanged: says("ask the server's owner; holdfast trust NAME shows both keys, and how to take the old one out of known_hosts"),
	fault.HostKeyRevoked: says("do not connect before the server's owner has explained it; holdfast trust NAME shows the key"),

	fault.Passphrase: says("holdfast up NAME in a terminal asks for it there; ssh-add gives the key to the agent"),
	fault.PIN:        says("holdfast up NAME in a terminal asks for it there"),
	fault.Password:   says("holdfast up NAME in a terminal asks for it there; a key needs none: ssh-copy-id puts one on the server"),
	fault.Code:       says("holdfast up NAME in a terminal asks for it there"),
	fault.Touch:      says("touch the security key when it blinks; holdfast up NAME tries again"),
	fault.Denied: func(t listing.Tunnel) string {
		return fmt.Sprintf("does %s log in? holdfast check %s looks at each key; then holdfast up %s", sshCommand(t), t.Name, t.Name)
	},

	fault.Settings:     says("holdfast edit NAME mends it; holdfast explain NAME shows each setting and where it came from"),
	fault.Listen:       says("free the address, or take another one (holdfast edit NAME); then holdfast up NAME"),
	fault.RemoteListen: says("it goes on trying; holdfast check NAME tries what the server listens on; a connection that broke may hold the port there until sshd notices (ClientAliveInterval= in sshd_config)"),
	fault.Target:       says("the tunnel is up; holdfast check NAME tries where each forward leads"),
	fault.Connections:  says("it works with fewer SSH connections, and makes the others by itself"),
	fault.SlowAnswer:   says("the server takes its time to answer; holdfast status NAME shows each forward"),
	fault.Dependency:   says("a unit that it requires is not there or failed: holdfast edit NAME, section [Unit]; then holdfast up NAME"),
	fault.Crashed:      says("holdfast logs NAME -n 20 shows what it said last"),
}

// says returns a hint with the tunnel's name in place of NAME.
func says(hint string) func(listing.Tunnel) string {
	return func(t listing.Tunnel) string { return strings.ReplaceAll(hint, "NAME", t.Name) }
}

// sshCommand is the ssh command that logs in as the tunnel does.
func sshCommand(t listing.Tunnel) string {
	words := []string{"ssh"}
	// Settings in drop-ins are missing here, which is good enough for a hint.
	if file, problems := tunnelfile.Parse(t.Name, "", t.Text); len(problems) == 0 {
		for _, setting := range file.SSH {
			words = append(words, "-o", tunnelfile.ShellWord(setting.Key+"="+setting.Value))
		}
	}
	return strings.Join(append(words, tunnelfile.ShellWord(t.Destination)), " ")
}

// OtherProgram says which tunnels run another version than the daemon's, and the command that hands
// them over to this version. Both are "" if none does.
func OtherProgram(version string, all []listing.Tunnel) (message, command string) {
	names := listing.Outdated(version, all)
	if len(names) == 0 {
		return "", ""
	}
	const most = 3 // named tunnels
	message = "another version than " + version + " runs in " + text.Count(len(names), "tunnel") + ": " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		return message + fmt.Sprintf(" and %d more", len(names)-most), "holdfast restart --rolling --all"
	}
	return message, "holdfast restart --rolling " + strings.Join(names, " ")
}

// HintOtherProgram is OtherProgram as one hint.
func HintOtherProgram(version string, all []listing.Tunnel) string {
	message, command := OtherProgram(version, all)
	if message == "" {
		return ""
	}
	return message + "; " + command + " changes to the new version and cuts no connection"
}
