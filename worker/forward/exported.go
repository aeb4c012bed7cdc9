package forward

import "github.com/holdfast/holdfast/tunnelfile"

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
