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

// MayUseTicket says whether a login would use a Kerberos ticket if there is one.
func MayUseTicket(o *config.Options) bool {
	return o.Yes("gssapiauthentication") && prefers(o, "gssapi-with-mic")
}

// prefers says whether PreferredAuthentications contains a method. By default it contains all.
func prefers(o *config.Options, method string) bool {
	order := o.List("preferredauthentications")
	return len(order) == 0 || slices.Contains(order, method)
}

// ticketTimeout limits klist, which may ask a daemon.
const ticketTimeout = 2 * time.Second

// HasTicket says whether the person has a Kerberos ticket that is still valid. Without klist it
// only looks for the ticket file.
func HasTicket(ctx context.Context) bool {
	if klist, err := exec.LookPath("klist"); err == nil {
		ctx, cancel := context.WithTimeout(ctx, ticketTimeout)
		defer cancel()
		return exec.CommandContext(ctx, klist, "-s").Run() == nil
	}
	path := strings.TrimPrefix(os.Getenv("KRB5CCNAME"), "FILE:")
	return path != "" && fileExists(path)
}
