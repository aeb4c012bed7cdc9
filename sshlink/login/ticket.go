package login

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/sshlink/config"
)

// MayUseTicket says whether a Kerberos ticket would be used to log in.
func MayUseTicket(o *config.Options) bool {
	return o.Yes("gssapiauthentication") && prefers(o, "gssapi-with-mic")
}

// prefers says whether PreferredAuthentications has a method in it; by default it has all.
func prefers(o *config.Options, method string) bool {
	order := o.List("preferredauthentications")
	return len(order) == 0 || slices.Contains(order, method)
}

// ticketTimeout bounds klist, which may ask a daemon.
const ticketTimeout = 2 * time.Second

// HasTicket says whether this person holds a Kerberos ticket that is still good. Without
// klist it goes by the ticket file.
func HasTicket(ctx context.Context) bool {
	if klist, err := exec.LookPath("klist"); err == nil {
		ctx, cancel := context.WithTimeout(ctx, ticketTimeout)
		defer cancel()
		return exec.CommandContext(ctx, klist, "-s").Run() == nil
	}
	path := strings.TrimPrefix(os.Getenv("KRB5CCNAME"), "FILE:")
	return path != "" && fileExists(path)
}
