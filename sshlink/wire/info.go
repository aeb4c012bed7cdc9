package wire

import (
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Info says what a link is made of.
type Info struct {
	Transport     tunnelfile.Transport
	ServerVersion string
	Kex           string
	Cipher        string // of the direction to the server
	MAC           string // empty where the cipher brings its own
	HostKey       string // type and SHA-256 fingerprint
	PostQuantum   bool   // the key exchange withstands a quantum computer
	Peer          string // host:port of the server, where it is known
	Asked         int    // how often the server has asked whether this side is there
}

// PostQuantum says whether a key exchange also rests on a problem that quantum computers
// are not known to solve.
func PostQuantum(kex string) bool {
	return strings.HasPrefix(kex, "mlkem768") || strings.HasPrefix(kex, "sntrup761")
}
