package hostile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Version is the version line of an honest server.
const Version = "SSH-2.0-Hostile_1.0"

// Greet exchanges versions.
func (s *Session) Greet() error {
	if err := s.WriteRaw([]byte(Version + "\r\n")); err != nil {
		return err
	}
	return s.ReadVersion()
}

// ReadVersion reads the client's version.
func (s *Session) ReadVersion() error {
	line, err := s.in.ReadString('\n')
	s.clientVersion = strings.TrimRight(line, "\r\n")
	return err
}

// KexInit is the server's offer: one algorithm of each kind. It does not offer strict key exchange,
// so that the server may send other packets in between.
func KexInit(hostKey string) []byte {
	cookie := make([]byte, 16)
	rand.Read(cookie)
	b := append([]byte{MsgKexInit}, cookie...)
	for _, list := range []string{"curve25519-sha256", hostKey, "aes128-gcm@openssh.com", "aes128-gcm@openssh.com", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", ""} {
		b = appendString(b, list)
	}
	return append(b, 0, 0, 0, 0, 0)
}

// KeyExchange does the first key exchange.
func (s *Session) KeyExchange() error {
	s.write.Lock()
	s.ourInit = KexInit(s.Server.hostKey().PublicKey().Type())
	if err := s.writeLocked(s.ourInit); err != nil {
		s.write.Unlock()
		return err
	}
	for { // answerKexInit unlocks s.write
		p, err := s.readPacket()
		switch {
		case err != nil:
			s.write.Unlock()
			return err
		case p[0] == MsgKexInit:
			return s.answerKexInit(p)
		case p[0] == MsgDisconnect:
			s.write.Unlock()
			return fmt.Errorf("the client left during the key exchange: %q", printable(p))
		}
	}
}

// Rekey begins a key exchange, and waits until the goroutine that reads has ended it. Nothing else
// is written meanwhile.
func (s *Session) Rekey() error {
	done := make(chan struct{})
	s.kex.Lock()
	s.write.Lock() // until answerKexInit unlocks
	s.rekeying, s.ourInit = done, KexInit(s.Server.hostKey().PublicKey().Type())
	err := s.writeLocked(s.ourInit)
	s.kex.Unlock()
	if err != nil {
		s.write.Unlock()
		return err
	}
	select {
	case <-done:
		return nil
	case <-s.channels.ended():
		return errors.New("the session ended during a key exchange")
	}
}

// answerKexInit does the rest of a key exchange after the client's offer, and unlocks s.write.
func (s *Session) answerKexInit(clientInit []byte) error {
	s.kex.Lock()
	defer s.kex.Unlock()
	if s.ourInit == nil { // the client began
		s.write.Lock()
		s.ourInit = KexInit(s.Server.hostKey().PublicKey().Type())
		if err := s.writeLocked(s.ourInit); err != nil {
			s.write.Unlock()
			return err
		}
	}
	err := s.exchange(clientInit)
	s.ourInit = nil
	if s.rekeying != nil {
		close(s.rekeying)
		s.rekeying = nil
	}
	s.write.Unlock()
	return err
}

// exchange does curve25519-sha256 (RFC 8731) and changes the keys.
func (s *Session) exchange(clientInit []byte) error {
	p, err := s.readPacket()
	if err != nil {
		return err
	}
	var init struct {
		Key []byte `sshtype:"30"`
	}
	if err := ssh.Unmarshal(p, &init); err != nil {
		return err
	}
	theirs, err := ecdh.X25519().NewPublicKey(init.Key)
	if err != nil {
		return err
	}
	ours, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	shared, err := ours.ECDH(theirs)
	if err != nil {
		return err
	}
	secret := appendMPInt(nil, shared)
	hostKey := s.Server.hostKey()
	public := s.Server.presented(hostKey)
	h := sha256.New()
	for _, part := range [][]byte{[]byte(s.clientVersion), []byte(Version), clientInit, s.ourInit, public, init.Key, ours.PublicKey().Bytes()} {
		h.Write(appendString(nil, string(part)))
	}
	h.Write(secret)
	hash := h.Sum(nil)
	if s.id == nil {
		s.id = hash
	}
	signature, err := hostKey.Sign(rand.Reader, hash)
	if err != nil {
		return err
	}
	reply := appendString([]byte{MsgKexECDHReply}, string(public))
	reply = appendString(reply, string(ours.PublicKey().Bytes()))
	reply = appendString(reply, string(ssh.Marshal(signature)))
	if err := s.writeLocked(reply); err != nil {
		return err
	}
	if err := s.writeLocked([]byte{MsgNewKeys}); err != nil {
		return err
	}
	s.writeKey = newDirection(secret, hash, s.id, 'B', 'D')
	if p, err = s.readPacket(); err != nil {
		return err
	}
	if p[0] != MsgNewKeys {
		return fmt.Errorf("message %d in place of new keys", p[0])
	}
	s.readKey = newDirection(secret, hash, s.id, 'A', 'C')
	return nil
}

func newDirection(secret, hash, id []byte, iv, key byte) *direction {
	derive := func(letter byte, n int) []byte {
		h := sha256.New()
		h.Write(secret)
		h.Write(hash)
		h.Write([]byte{letter})
		h.Write(id)
		return h.Sum(nil)[:n]
	}
	block, err := aes.NewCipher(derive(key, 16))
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return &direction{aead: aead, nonce: derive(iv, 12)}
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendMPInt(b, number []byte) []byte {
	n := new(big.Int).SetBytes(number).Bytes()
	if len(n) > 0 && n[0]&0x80 != 0 {
		n = append([]byte{0}, n...)
	}
	return appendString(b, string(n))
}
