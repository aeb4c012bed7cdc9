package sshlink

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
)

// KeyState is what there is to know of one key that a login could use, without logging in.
type KeyState struct {
	Path      string // of the key file, as people write it
	File      string // the same, whole
	Written   bool   // somebody named it; else it is one that ssh tries by itself
	Missing   bool   // there is neither the file nor its public half
	Encrypted bool   // it takes a passphrase
	Agent     bool   // the agent holds it
	Type      string // such as ssh-ed25519, empty where not even that can be read
	Bits      int    // of an RSA key
	OnlySSH   bool   // the openssh transport can use the file, and the native one cannot
	Err       error  // why the file is of no use by itself; nil where a passphrase would do
}

// Keys are the key files that IdentityFile names, in its order.
func (r *Resolved) Keys(ctx context.Context) []KeyState {
	agent := r.openAgent(ctx)
	if agent != nil {
		defer agent.Close()
	}
	var states []KeyState
	for _, value := range r.Values("identityfile") {
		if value == "none" {
			continue
		}
		path := r.Path(value)
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
			k.Type, k.Bits = file.public.Type(), rsaBits(file.public)
			_, k.Agent = agent.find(file.public)
		}
		states = append(states, k)
	}
	return states
}

// AgentState is the ssh-agent that a login would ask.
type AgentState struct {
	Socket string   // empty: none is there
	Chosen bool     // by SSH_AUTH_SOCK or IdentityAgent, not found at a well-known place
	Keys   []string // what it holds: type and SHA-256 fingerprint
	Wanted string   // a socket that was chosen and that nobody answers on
}

// Agent looks for the agent as a login does.
func (r *Resolved) Agent(ctx context.Context) AgentState {
	a := r.openAgent(ctx)
	if a == nil {
		s := AgentState{}
		if sockets, chosen := r.agentSockets(); chosen && len(sockets) > 0 {
			s.Wanted = sockets[0]
		} else if environment := os.Getenv("SSH_AUTH_SOCK"); environment != "" && r.Option("identityagent") == "" {
			s.Wanted = environment
		}
		return s
	}
	defer a.Close()
	s := AgentState{Socket: a.socket, Chosen: a.chosen}
	if environment := os.Getenv("SSH_AUTH_SOCK"); !a.chosen && environment != "" {
		s.Wanted = environment
	}
	for _, k := range a.keys {
		s.Keys = append(s.Keys, fingerprint(parsed(k)))
	}
	return s
}

// OwnMaster is the socket of a ControlMaster that the person runs to the same place and that
// the openssh transport would use; empty: there is none.
func (r *Resolved) OwnMaster(ctx context.Context) string { return r.runningMaster(ctx) }
