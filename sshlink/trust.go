package sshlink

import (
	"context"
	"errors"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/hostkeys"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/sshlink/native"
)

// HostKeys asks for the host keys of the first machine on the way that is not trusted yet, or of
// the destination if all are trusted. It logs in to the machines before that one, but not to that
// one. It does not connect to any machine after it.
func (r *Resolved) HostKeys(ctx context.Context) (hostkeys.ServerKeys, error) {
	hops := r.Hops()
	for _, hop := range hops {
		if !hostkeys.For(ctx, hop.Options, nil).HeardOf() {
			return hop.serverKeys(ctx)
		}
	}
	keys, err := r.serverKeys(ctx)
	if fault.ClassOf(err) != fault.ClassDistrusted {
		keys.Last = true
		return keys, err
	}
	// A jump host does not show a trusted key any more.
	for _, hop := range hops {
		if between, hopErr := hop.serverKeys(ctx); hopErr != nil || !between.Trusted() {
			return between, hopErr
		}
	}
	return hostkeys.ServerKeys{}, err
}

// kindsOfKeys are the algorithms to ask a server for. Each list takes one handshake.
var kindsOfKeys = [][]string{
	{ssh.KeyAlgoED25519},
	{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

var certificates = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

// serverKeys asks one machine for its keys. All handshakes use one connection to the host before
// it.
func (r *Resolved) serverKeys(ctx context.Context) (hostkeys.ServerKeys, error) {
	known := hostkeys.For(ctx, r.Options, nil)
	s := hostkeys.ServerKeys{Host: known.Name, Address: r.HostPort()}
	if files := r.Files("userknownhostsfile"); len(files) > 0 {
		s.File = files[0]
	}
	scanner, err := native.NewScanner(ctx, r.Options, r.ask)
	if err != nil {
		return s, err
	}
	defer scanner.Close()
	lists := kindsOfKeys
	if known.Known.HasAuthority() {
		lists = append([][]string{certificates}, lists...)
	}
	var keys []ssh.PublicKey
	for _, algorithms := range lists {
		key, err := scanner.Scan(ctx, algorithms)
		switch {
		case key != nil:
			keys = append(keys, key)
		case errors.Is(err, login.ErrNoCommonHostKey): // the server has no key of that kind
		default:
			return s, err
		}
	}
	s.Keys = known.Describe(keys)
	if len(s.Keys) == 0 {
		return s, fault.Because(fault.Settings, login.ErrNoCommon,
			"%s shows no host key of a kind that the native transport knows", r.HostName)
	}
	return s, nil
}

// OnlySSH says whether the error means that the server has no algorithm in common with the native
// transport. The system's ssh may have one.
func OnlySSH(err error) bool { return errors.Is(err, login.ErrNoCommon) }
