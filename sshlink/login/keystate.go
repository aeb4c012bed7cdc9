package login

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
)

// KeyState is what can be known, without logging in, about a key that a login could use.
type KeyState struct {
	Path      string // of the key file, with ~ for the home folder
	File      string // the same without ~
	Written   bool   // somebody named it; else it is one of ssh's defaults
	Missing   bool   // neither the file nor its .pub exists
	Encrypted bool   // it has a passphrase
	Agent     bool   // the agent has it
	Type      string // such as ssh-ed25519; empty if it cannot be read
	Bits      int    // of an RSA key; else 0
	OnlySSH   bool   // only the openssh transport can use the file
	Err       error  // why the file cannot be used by itself; nil if a passphrase is enough
}

// Keys are the key files that IdentityFile names, in its order.
func Keys(ctx context.Context, o *config.Options) []KeyState {
	agent := openAgent(ctx, o)
	if agent != nil {
		defer agent.Close()
	}
	var states []KeyState
	for _, value := range o.Values("identityfile") {
		path := o.Path(value)
		k := KeyState{Path: text.Tilde(path), File: path, Written: !slices.Contains(config.DefaultIdentities, value)}
		file, err := readKeyFile(path)
		if err != nil {
			k.Missing, k.Err = errors.Is(err, os.ErrNotExist), err
			states = append(states, k)
			continue
		}
		k.Encrypted, k.Err = file.secret != nil, file.err
		k.OnlySSH = errors.Is(file.err, errFormat) || errors.Is(file.err, errHandle)
		if file.public != nil {
			k.Type, k.Bits = file.public.Type(), hostkeys.RSABits(file.public)
			_, k.Agent = agent.find(file.public)
		}
		states = append(states, k)
	}
	return states
}

// AgentState is the ssh-agent that a login would use.
type AgentState struct {
	Socket string   // empty: there is none
	Chosen bool     // by SSH_AUTH_SOCK or IdentityAgent, not found in a well-known place
	Keys   []string // type and SHA-256 fingerprint of each
	Wanted string   // a socket that was chosen and does not answer
}

// Agent looks for the agent as a login does.
func Agent(ctx context.Context, o *config.Options) AgentState {
	a := openAgent(ctx, o)
	var s AgentState
	if socket, _ := o.AgentSocket(); len(socket) > 0 && (a == nil || !a.chosen) {
		s.Wanted = socket[0]
	}
	if a == nil {
		return s
	}
	defer a.Close()
	s.Socket, s.Chosen = a.socket, a.chosen
	for _, k := range a.keys {
		s.Keys = append(s.Keys, hostkeys.Fingerprint(parsed(k)))
	}
	return s
}

// NeedsOpenSSH is why a login needs the openssh transport for an IdentityFile: only ssh can use the
// key, and no agent has it. It is about the first such file, and empty if there is none.
func NeedsOpenSSH(ctx context.Context, o *config.Options) string {
	var agent *agentConn
	for _, value := range o.Values("identityfile") {
		path := o.Path(value)
		if !fileExists(path) {
			continue
		}
		file, err := readKeyFile(path)
		if err != nil {
			continue
		}
		what := ""
		switch {
		case errors.Is(file.err, errFormat):
			what = " is a key in a format that only ssh can read"
		case file.public != nil && strings.HasPrefix(file.public.Type(), "sk-"):
			what = " is a security key that no agent holds"
		default:
			continue
		}
		if agent == nil {
			if agent = openAgent(ctx, o); agent != nil {
				defer agent.Close()
			}
		}
		if _, held := agent.find(file.public); !held {
			return text.Tilde(path) + what
		}
	}
	return ""
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
