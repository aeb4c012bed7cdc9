package fault

import "slices"

// Reason is why a tunnel is not well, as one word; "" when all is well. The same word is in
// brackets in a unit's StatusText, in the D-Bus property Reason, in --json and in the journal's
// HOLDFAST_REASON.
type Reason string

// The reasons.
const (
	None Reason = "" // all is well, or the reason is not known

	Network Reason = "network" // this machine is not connected
	Portal  Reason = "portal"  // a captive portal: a page to log in to
	Rule    Reason = "rule"    // OnlyOn=, NeverOn= or Metered= forbids this network
	Sleep   Reason = "sleep"   // this machine goes to sleep

	Unreachable Reason = "unreachable" // name, route, time-out, refused
	Lost        Reason = "lost"        // the link was lost, the next try is due
	TurnedAway  Reason = "turned-away" // MaxStartups, PerSourcePenalties, a full server

	HostKeyUnknown Reason = "host-key-unknown"
	HostKeyChanged Reason = "host-key-changed"
	HostKeyRevoked Reason = "host-key-revoked"

	Passphrase Reason = "passphrase" // of a key
	PIN        Reason = "pin"        // of a token
	Password   Reason = "password"   // of the account
	Code       Reason = "code"       // one-time code, or another question of the server's
	Touch      Reason = "touch"      // of a security key
	Denied     Reason = "denied"     // the server refused every way to log in

	Settings     Reason = "settings"      // the tunnel file, or what ssh_config resolves to
	Listen       Reason = "listen"        // cannot listen at an address of this machine
	RemoteListen Reason = "remote-listen" // the server does not listen, or not yet
	Target       Reason = "target"        // nobody answers behind a forward
	Connections  Reason = "connections"   // fewer SSH connections than wanted
	SlowAnswer   Reason = "slow-answer"   // a forward waits for the server's answer
	Dependency   Reason = "dependency"    // a unit that the tunnel requires
	Crashed      Reason = "crashed"       // its program ended too often
)

var reasons = []Reason{
	Network, Portal, Rule, Sleep, Unreachable, Lost, TurnedAway, HostKeyUnknown, HostKeyChanged, HostKeyRevoked,
	Passphrase, PIN, Password, Code, Touch, Denied, Settings, Listen, RemoteListen, Target, Connections,
	SlowAnswer, Dependency, Crashed,
}

// Reasons lists every Reason but None.
func Reasons() []Reason { return slices.Clone(reasons) }

// Class says what to do about an error with this reason.
func (r Reason) Class() Class {
	switch r {
	case TurnedAway:
		return ClassTurnedAway
	case Passphrase, PIN, Password, Code, Touch, Denied:
		return ClassDenied
	case HostKeyUnknown, HostKeyChanged, HostKeyRevoked:
		return ClassDistrusted
	case Settings:
		return ClassMistaken
	}
	return ClassPassing
}

// WantsAnswer says whether a tunnel with this reason goes on once a person has answered a
// question or touched a key.
func (r Reason) WantsAnswer() bool {
	switch r {
	case Passphrase, PIN, Password, Code, Touch:
		return true
	}
	return false
}
