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
	MAC           string // empty if the cipher needs none
	HostKey       string // type and SHA-256 fingerprint
	PostQuantum   bool   // the key exchange withstands a quantum computer
	Peer          string // host:port of the server; empty if unknown
	Asked         int    // how many keepalives the server has sent
}

// PostQuantum says whether a key exchange also rests on a problem that quantum computers
// are not known to solve.
func PostQuantum(kex string) bool {
	return strings.HasPrefix(kex, "mlkem768") || strings.HasPrefix(kex, "sntrup761")
}
