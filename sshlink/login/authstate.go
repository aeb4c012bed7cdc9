package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/holdfast/holdfast/sshlink/config"
)

// AuthState is a fingerprint of everything on this machine that a login would use: the agent's
// keys, whether there is a Kerberos ticket, the files that [config.Options.LoginFiles] lists, and
// ssh's configuration. A tunnel that needs a person compares it now and then. While it stays the
// same, another attempt would fail in the same way, and the server is left alone.
//
// It reads no file except those of ssh_config(5), and asks no person. It takes a few milliseconds,
// or longer if an agent or klist does not answer (agentTimeout, ticketTimeout).
func AuthState(ctx context.Context, o *config.Options) string {
	sum := sha256.New()
	fmt.Fprintln(sum, o.Source.Stamp())
	for hop := o; hop != nil; hop = hop.Jump {
		addAuthState(ctx, hop, sum)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func addAuthState(ctx context.Context, o *config.Options, sum io.Writer) {
	if a := openAgent(ctx, o); a != nil {
		keys := make([]string, len(a.keys))
		for i, k := range a.keys {
			keys[i] = string(k.Blob)
		}
		a.Close()
		slices.Sort(keys)
		fmt.Fprintf(sum, "agent %q\n", keys)
	}
	if MayUseTicket(o) {
		fmt.Fprintln(sum, "ticket", HasTicket(ctx))
	}
	for _, file := range o.LoginFiles() {
		config.WriteState(sum, file)
	}
}
