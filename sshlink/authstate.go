package sshlink

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/sshlink/config"
)

// AuthState is a fingerprint of everything on this machine that a login would use: the
// agent's keys, the key and certificate files, the known_hosts files and ssh's
// configuration. A tunnel that needs a person looks at it now and then: while it stays the
// same, trying again would fail the same way, and the server need not hear of it.
//
// It reads no file, asks no person, and takes a few milliseconds, or at most the 5 s that an
// agent is given to answer.
func (r *Resolved) AuthState(ctx context.Context) string {
	sum := sha256.New()
	for hop := r; hop != nil; hop = hop.jump {
		hop.addAuthState(ctx, sum)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func (r *Resolved) addAuthState(ctx context.Context, sum io.Writer) {
	if a := r.openAgent(ctx); a != nil {
		keys := make([]string, len(a.keys))
		for i, k := range a.keys {
			keys[i] = string(k.Blob)
		}
		a.Close()
		slices.Sort(keys)
		fmt.Fprintf(sum, "agent %q\n", keys)
	}
	if r.mayUseTicket() {
		fmt.Fprintln(sum, "ticket", hasTicket(ctx))
	}
	var files []string
	for _, value := range r.Values("identityfile") {
		path := r.Path(value)
		files = append(files, path, path+".pub", path+"-cert.pub")
	}
	for _, value := range r.Values("certificatefile") {
		files = append(files, r.Path(value))
	}
	files = append(files, r.Files("userknownhostsfile")...)
	files = append(files, r.Files("globalknownhostsfile")...)
	files = append(files, r.ConfigFiles()...)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(sum, "%q %d %d %o\n", file, info.ModTime().UnixNano(), info.Size(), info.Mode())
		}
	}
}

// configFiles are the files that ssh reads first; what they include is not followed.
func (r *Resolved) configFiles() []string {
	switch r.Source.ConfigFile {
	case "":
		return []string{strings.TrimSuffix(config.HomeDir(), "/") + "/.ssh/config", "/etc/ssh/ssh_config"}
	case "none":
		return nil
	}
	return []string{r.Source.ConfigFile}
}
