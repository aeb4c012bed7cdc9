package hostile

import (
	"bufio"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Message numbers of RFC 4250, 4.1.
const (
	MsgDisconnect          = 1
	MsgIgnore              = 2
	MsgUnimplemented       = 3
	MsgDebug               = 4
	MsgServiceRequest      = 5
	MsgServiceAccept       = 6
	MsgExtInfo             = 7
	MsgKexInit             = 20
	MsgNewKeys             = 21
	MsgKexECDHInit         = 30
	MsgKexECDHReply        = 31
	MsgUserAuthRequest     = 50
	MsgUserAuthFailure     = 51
	MsgUserAuthSuccess     = 52
	MsgUserAuthBanner      = 53
	MsgUserAuthInfoRequest = 60 // with publickey: PK_OK
	MsgUserAuthInfoAnswer  = 61
	MsgGlobalRequest       = 80
	MsgRequestSuccess      = 81
	MsgRequestFailure      = 82
	MsgChannelOpen         = 90
	MsgChannelOpenConfirm  = 91
	MsgChannelOpenFailure  = 92
	MsgChannelWindowAdjust = 93
	MsgChannelData         = 94
	MsgChannelExtendedData = 95
	MsgChannelEOF          = 96
	MsgChannelClose        = 97
	MsgChannelRequest      = 98
	MsgChannelSuccess      = 99
	MsgChannelFailure      = 100
)

// maxPacket is the longest packet that the server reads.
const maxPacket = 256 << 10

// Session is one client's connection. Any packet may be written at any time, by any goroutine.
type Session struct {
	Server *Server
	Number int // of this session, from 1

	net.Conn
	in *bufio.Reader

	clientVersion string
	id            []byte // the session ID, once keys are exchanged
	readKey       *direction

	kex      sync.Mutex // locked, before write, when a key exchange begins or is answered
	write    sync.Mutex // locked during a whole key exchange
	writeKey *direction
	out      []byte
	rekeying chan struct{} // closed when the key exchange that Rekey began is over
	ourInit  []byte

	channels channels
	played   sync.Once
	ending   sync.Once
	proven   chan struct{} // closed when the client has asked for proof of Further
	proof    sync.Once
}

// direction is aes128-gcm@openssh.com, one way (RFC 5647, 7).
type direction struct {
	aead  cipher.AEAD
	nonce []byte
}

func (d *direction) step() {
	counter := d.nonce[4:]
	binary.BigEndian.PutUint64(counter, binary.BigEndian.Uint64(counter)+1)
}

// WritePacket sends one packet.
func (s *Session) WritePacket(payload []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.writeLocked(payload)
}

// WriteAll sends n packets. next makes each one from its number, which begins at 0.
func (s *Session) WriteAll(n int, next func(i int) []byte) error {
	for i := range n {
		if err := s.WritePacket(next(i)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) writeLocked(payload []byte) error {
	_, err := s.Conn.Write(s.seal(payload))
	return err
}

// seal returns the packet as it is sent.
func (s *Session) seal(payload []byte) []byte {
	block, extra := 8, 4 // before keys are exchanged the length is padded too
	if s.writeKey != nil {
		block, extra = 16, 0
	}
	padding := block - (len(payload)+1+extra)%block
	if padding < 4 {
		padding += block
	}
	length := 1 + len(payload) + padding
	b := binary.BigEndian.AppendUint32(s.out[:0], uint32(length))
	b = append(b, byte(padding))
	b = append(b, payload...)
	b = append(b, make([]byte, padding)...)
	if d := s.writeKey; d != nil {
		b = d.aead.Seal(b[:4], d.nonce, b[4:], b[:4])
		d.step()
	}
	s.out = b
	return b
}

// WriteRaw sends bytes that need not be a packet.
func (s *Session) WriteRaw(b []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	_, err := s.Conn.Write(b)
	return err
}

// WriteLength sends a packet with this length field and this body, which may have another length.
// It does not encrypt them.
func (s *Session) WriteLength(length uint32, body []byte) error {
	return s.WriteRaw(append(binary.BigEndian.AppendUint32(nil, length), body...))
}

// WriteDamaged sends a packet whose authentication tag is wrong.
func (s *Session) WriteDamaged(payload []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	b := s.seal(payload)
	b[len(b)-1] ^= 1
	_, err := s.Conn.Write(b)
	return err
}

var errLength = errors.New("the client sent a packet of an impossible length")

// readPacket reads one packet, of whatever kind.
func (s *Session) readPacket() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 5 || length > maxPacket {
		return nil, fmt.Errorf("%w: %d", errLength, length)
	}
	if s.readKey != nil {
		length += uint32(s.readKey.aead.Overhead())
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(s.in, b); err != nil {
		return nil, err
	}
	if d := s.readKey; d != nil {
		var err error
		if b, err = d.aead.Open(b[:0], d.nonce, b, head[:]); err != nil {
			return nil, err
		}
		d.step()
	}
	padding := int(b[0])
	if padding+1 >= len(b) {
		return nil, errLength
	}
	return b[1 : len(b)-padding], nil
}

// ReadPacket reads the next packet that is not about keys. If the client begins a key exchange, it
// does that first.
func (s *Session) ReadPacket() ([]byte, error) {
	for {
		p, err := s.readPacket()
		if err != nil {
			return nil, err
		}
		switch p[0] {
		case MsgKexInit:
			if err := s.answerKexInit(p); err != nil {
				return nil, err
			}
		case MsgIgnore, MsgDebug, MsgUnimplemented:
		case MsgDisconnect:
			s.Server.note("the client said: %q", printable(p))
			return nil, io.EOF
		default:
			return p, nil
		}
	}
}

// Await reads packets until one of this kind comes.
func (s *Session) Await(kind byte) ([]byte, error) {
	for {
		p, err := s.ReadPacket()
		if err != nil || p[0] == kind {
			return p, err
		}
	}
}

func printable(p []byte) string {
	if len(p) > 200 {
		p = p[:200]
	}
	return string(p)
}
