package bus

import (
	"encoding/binary"
	"io"

	"github.com/godbus/dbus/v5"
)

// A message is bounded before it is read.
const (
	// fixedHeader is the length of the first part of a message, which has the length of the rest.
	fixedHeader = 16
	// maxFields bounds the header. Names have at most 255 bytes, a path may have any number.
	maxFields = 64 << 10
	// MaxCall bounds the body of a call: a text of 1 MiB and its other arguments.
	MaxCall = 1<<20 + 64<<10
	// maxReply bounds the body of a reply. A system bus has the same limit.
	maxReply = 32 << 20
)

// header is the header of a message; see "Message Format" in the D-Bus specification.
type header struct {
	kind        dbus.Type
	flags       dbus.Flags
	serial      uint32
	replySerial uint32
	body        uint32 // bytes

	path, iface, member, destination, sender, signature string
}

func byteOrder(mark byte) binary.ByteOrder {
	if mark == 'B' {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// lengths is how many bytes of a message follow its fixedHeader: the fields with their padding, and
// the body.
func lengths(fixed []byte) (fields, body uint64) {
	order := byteOrder(fixed[0])
	fields = (uint64(order.Uint32(fixed[12:])) + 7) &^ 7
	return fields, uint64(order.Uint32(fixed[4:]))
}

// headerOf reads a message's header. ok is false if the header has fields that the protocol does
// not have.
func headerOf(b []byte) (h header, ok bool) {
	if len(b) < fixedHeader {
		return h, false
	}
	order := byteOrder(b[0])
	h.kind, h.flags = dbus.Type(b[1]), dbus.Flags(b[2])
	h.body, h.serial = order.Uint32(b[4:]), order.Uint32(b[8:])
	end := fixedHeader + uint64(order.Uint32(b[12:]))
	if end > uint64(len(b)) {
		return h, false
	}
	rest := fieldReader{b[:end], order, fixedHeader}
	for rest.pos < len(rest.b) {
		if !rest.field(&h) {
			return h, false
		}
	}
	return h, true
}

// fieldReader reads the fields of a header: an array of (yv).
type fieldReader struct {
	b     []byte
	order binary.ByteOrder
	pos   int
}

func (r *fieldReader) field(h *header) bool {
	r.pos = (r.pos + 7) &^ 7
	if r.pos+8 > len(r.b) || r.b[r.pos+1] != 1 || r.b[r.pos+3] != 0 {
		return false
	}
	code, kind := dbus.HeaderField(r.b[r.pos]), r.b[r.pos+2]
	r.pos += 4
	switch kind {
	case 'u':
		n := r.order.Uint32(r.b[r.pos:])
		r.pos += 4
		if code == dbus.FieldReplySerial {
			h.replySerial = n
		}
		return code == dbus.FieldReplySerial || code == dbus.FieldUnixFDs
	case 'g':
		text, ok := r.text(1, uint64(r.b[r.pos]))
		h.signature = text
		return ok && code == dbus.FieldSignature
	case 's', 'o':
		text, ok := r.text(4, uint64(r.order.Uint32(r.b[r.pos:])))
		switch code {
		case dbus.FieldPath:
			h.path = text
		case dbus.FieldInterface:
			h.iface = text
		case dbus.FieldMember:
			h.member = text
		case dbus.FieldDestination:
			h.destination = text
		case dbus.FieldSender:
			h.sender = text
		case dbus.FieldErrorName:
		default:
			return false
		}
		return ok
	}
	return false
}

// text reads a string of that length and its NUL. It skips the bytes that have the length.
func (r *fieldReader) text(before int, length uint64) (string, bool) {
	start := r.pos + before
	if length >= uint64(len(r.b)-start) {
		return "", false
	}
	r.pos = start + int(length) + 1
	return string(r.b[start : r.pos-1]), true
}

// readFixed reads the first part of the next message.
func readFixed(r io.Reader) ([]byte, error) {
	fixed := make([]byte, fixedHeader)
	_, err := io.ReadFull(r, fixed)
	return fixed, err
}
