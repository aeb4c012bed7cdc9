package login

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast/holdfast/sshlink/config"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

const (
	agentTimeout = 5 * time.Second        // for an agent to list its keys
	TouchTimeout = 2 * time.Minute        // for a person to touch a security key or to confirm a use
	declineTime  = 100 * time.Millisecond // a person does not decline faster
)

// agentConn is a connection to an ssh-agent. Each authentication makes a new one, because agents
// come and go, and some close idle connections.
type agentConn struct {
	net.Conn
	client agent.ExtendedAgent
	keys   []*agent.Key
	socket string
	chosen bool // by the person, not found by us
}

// openAgent connects to the agent that ssh would use, or else to the first one in a well-known
// place that has a key, because the user manager often lacks SSH_AUTH_SOCK. If none has a key, the
// first one is used. It returns nil if there is none.
func openAgent(ctx context.Context, o *config.Options) *agentConn {
	sockets, chosen := agentSockets(o)
	var empty *agentConn
	for _, socket := range sockets {
		a, err := dialAgent(ctx, socket)
		if err != nil {
			o.Log.Debug("no ssh-agent", "socket", socket, "err", err)
			continue
		}
		a.chosen = chosen
		if chosen || len(a.keys) > 0 {
			if empty != nil {
				empty.Close()
			}
			return a
		}
		if empty == nil {
			empty = a
		} else {
			a.Close()
		}
	}
	return empty
}

// agentSockets are the sockets to try, in order. chosen says whether the person chose the socket.
func agentSockets(o *config.Options) (sockets []string, chosen bool) {
	sockets, chosen = o.AgentSocket()
	if chosen {
		return sockets, true
	}
	for _, environment := range sockets {
		if c, err := net.DialTimeout("unix", environment, agentTimeout); err == nil {
			c.Close()
			return sockets, true
		}
	}
	sockets = nil
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		for _, name := range []string{"gcr/ssh", "keyring/ssh", "ssh-agent.socket", "gnupg/S.gpg-agent.ssh"} {
			sockets = append(sockets, filepath.Join(dir, name))
		}
	}
	// OpenSSH 10.1 and later put agents here.
	more, _ := filepath.Glob(filepath.Join(config.HomeDir(), ".ssh", "agent", "*"))
	return append(sockets, more...), false
}

func dialAgent(ctx context.Context, socket string) (*agentConn, error) {
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	a := &agentConn{Conn: c, client: agent.NewClient(c), socket: socket}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	a.keys, err = a.client.List()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return a, nil
}

// signer signs with sign. Before that it only shows the key.
type signer struct {
	key  ssh.PublicKey
	sign func(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error)
}

func (s signer) PublicKey() ssh.PublicKey { return s.key }

func (s signer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.sign(rand, data, "")
}

func (s signer) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	return s.sign(rand, data, algorithm)
}

// agentSigner signs with the agent, or with instead if the agent does not. instead may be nil; then
// failed is called.
func (a *Authenticator) agentSigner(key ssh.PublicKey, instead ssh.AlgorithmSigner, failed func(err error, after time.Duration)) ssh.AlgorithmSigner {
	return signer{key, func(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
		began := time.Now()
		signature, err := a.signByAgent(key, data, algorithm)
		if err != nil && instead != nil {
			return instead.SignWithAlgorithm(rand, data, algorithm)
		}
		if err != nil {
			failed(err, time.Since(began))
		}
		return signature, err
	}}
}

// signByAgent signs with the agent. A person may have to touch a key, type a PIN or confirm. The
// attempt's clock stops meanwhile.
func (a *Authenticator) signByAgent(key ssh.PublicKey, data []byte, algorithm string) (*ssh.Signature, error) {
	var flags agent.SignatureFlags
	switch algorithm {
	case ssh.KeyAlgoRSASHA256:
		flags = agent.SignatureFlagRsaSha256
	case ssh.KeyAlgoRSASHA512:
		flags = agent.SignatureFlagRsaSha512
	}
	a.attempt.Pause()
	defer a.attempt.Resume()
	overdue := time.AfterFunc(TouchTimeout, func() { a.agent.Close() })
	defer overdue.Stop()
	return a.agent.client.SignWithFlags(key, data, flags)
}

// find returns the agent's key that equals the one given.
func (a *agentConn) find(key ssh.PublicKey) (*agent.Key, bool) {
	if a == nil || key == nil {
		return nil, false
	}
	blob := key.Marshal()
	i := slices.IndexFunc(a.keys, func(k *agent.Key) bool { return string(k.Blob) == string(blob) })
	if i < 0 {
		return nil, false
	}
	return a.keys[i], true
}

var errNoAgentKey = errors.New("no agent holds it")
