package forward

import (
	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/socks"
)

// Prohibited says whether the server does not allow to open this channel.
func Prohibited(err error) bool { return classify(err) == socks.NotAllowed }

// TurnedDown says whether the server answered and refused to open a channel.
func TurnedDown(err error) bool { return turnedDown(err) }

// Reason says for people why a target could not be reached: "db.internal:5432 refuses connections". addr
// is host:port or the path of a socket.
func Reason(addr string, err error) string { return explain(target{addr: addr}, err) }

// Target is a forward's target as a Link dials it.
func Target(spec tunnelfile.Forward) (network, addr string) {
	t := targetOf(spec.Target)
	return t.network, t.addr
}

// RemoteListen is where a RemoteForward listens, as a Link asks the server for it.
func RemoteListen(spec tunnelfile.Forward) (network, addr string) {
	t, _ := remoteListen(spec.Listen)
	return t.network, t.addr
}
