package tunnelfile

import "fmt"

// Finding is the result of one look at what could keep a tunnel from staying up.
// `holdfast-tunnel --check --login --json` writes a list of them, and the command line reads it.
// Its JSON members may get company, but are never renamed or removed.
type Finding struct {
	Subject  string   `json:"subject"`  // what was looked at, one of the Subject constants
	Severity Severity `json:"severity"` // ok, hint or problem
	Message  string   `json:"message"`  // one sentence, for people
	Mend     string   `json:"mend"`     // a command that corrects it, to be pasted; "" if there is none
}

// Severity is how much a Finding matters.
type Severity string

// The severities of a Finding.
const (
	FindingOK Severity = "ok"
	Hint      Severity = "hint"    // it works, and could be sturdier or safer
	Trouble   Severity = "problem" // it does not work, or will not last
)

// Subjects of findings.
const (
	SubjectFile        = "file"         // the tunnel file and its drop-ins
	SubjectSettings    = "settings"     // what ssh_config(5) and the file come to
	SubjectSSH         = "ssh"          // the system's ssh program
	SubjectSystemd     = "systemd"      // its version, the user manager
	SubjectDaemon      = "daemon"       // holdfastd and its unit
	SubjectLinger      = "linger"       // whether user units outlive a logout
	SubjectNetwork     = "network"      // what the network is good for, and rules about it
	SubjectState       = "state"        // what the tunnel does now
	SubjectAgent       = "agent"        // ssh-agent
	SubjectKey         = "key"          // a key file
	SubjectAddress     = "address"      // the server's name
	SubjectPort        = "port"         // the server's SSH port
	SubjectHostKey     = "host-key"     // whether the server is the one that is known
	SubjectLogin       = "login"        // authentication
	SubjectKeyExchange = "key-exchange" // what was negotiated
	SubjectKeepalive   = "keepalive"    // whether the server notices a client that is gone
	SubjectAlgorithms  = "algorithms"   // ciphers, MACs, signatures
	SubjectListen      = "listen"       // a listening socket here
	SubjectTarget      = "target"       // where a LocalForward leads
	SubjectRemote      = "remote"       // a listening socket on the server
)

// Findings are collected in the order in which things were looked at.
type Findings []Finding

// OK adds that a thing is well.
func (fs *Findings) OK(subject, format string, args ...any) {
	fs.add(subject, FindingOK, "", format, args...)
}

// Hint adds that a thing works, and could be better.
func (fs *Findings) Hint(subject, mend, format string, args ...any) {
	fs.add(subject, Hint, mend, format, args...)
}

// Problem adds that a thing does not work, or will not last.
func (fs *Findings) Problem(subject, mend, format string, args ...any) {
	fs.add(subject, Trouble, mend, format, args...)
}

func (fs *Findings) add(subject string, severity Severity, mend, format string, args ...any) {
	*fs = append(*fs, Finding{Subject: subject, Severity: severity, Message: fmt.Sprintf(format, args...), Mend: mend})
}
