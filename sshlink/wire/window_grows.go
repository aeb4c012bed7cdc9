//go:build !fixedwindow

package wire

import (
	"io"
	"reflect"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/crypto/ssh"
)

// x/crypto has no way to set a channel's window. The code below links to two of its functions by
// name. That is safe with the version that was tested, and is not done with any other.
const triedCrypto = "v0.58.0"

//go:linkname adjustWindow golang.org/x/crypto/ssh.(*channel).adjustWindow
func adjustWindow(ch unsafe.Pointer, more uint32) error

//go:linkname readBuffer golang.org/x/crypto/ssh.(*buffer).Read
func readBuffer(b unsafe.Pointer, p []byte) (int, error)

// FixedWindow is why the windows of channels do not grow, or empty if they do.
func FixedWindow() string { return fixedWindow() }

var fixedWindow = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return untried(info)
})

// untried is what was not tested in a build, or empty if everything was.
func untried(info *debug.BuildInfo) string {
	if info != nil {
		for _, m := range info.Deps {
			switch {
			case m.Path != "golang.org/x/crypto":
				continue
			case m.Replace != nil:
				return "another module takes the place of golang.org/x/crypto"
			case m.Version != triedCrypto:
				return "golang.org/x/crypto " + m.Version + " was not tried for it, " + triedCrypto + " was"
			}
			return ""
		}
	}
	return "this program does not say which golang.org/x/crypto it was built with"
}

// stream reads a channel, and decides what the server may send.
type stream struct {
	channel unsafe.Pointer // *ssh.channel
	buffer  *buffer
}

// buffer has the layout of x/crypto's buffer: what was received and not read.
type buffer struct {
	*sync.Cond
	head   *element
	tail   *element
	closed bool
}

type element struct {
	buf  []byte
	next *element
}

// newStream returns false if the channel is not that of the tested x/crypto.
func newStream(ch ssh.Channel) (stream, bool) {
	v := reflect.ValueOf(ch)
	if FixedWindow() != "" || v.Type().String() != "*ssh.channel" {
		return stream{}, false
	}
	pending := v.Elem().FieldByName("pending")
	if !pending.IsValid() || !bufferAlike(pending.Type()) {
		return stream{}, false
	}
	return stream{v.UnsafePointer(), (*buffer)(pending.UnsafePointer())}, true
}

// bufferAlike says whether t points to a struct with the layout of buffer.
func bufferAlike(t reflect.Type) bool {
	if t.String() != "*ssh.buffer" || !alike(t.Elem(), reflect.TypeFor[buffer]()) {
		return false
	}
	head, _ := t.Elem().FieldByName("head")
	return alike(head.Type.Elem(), reflect.TypeFor[element]())
}

// alike says whether the fields of two structs have the same names, offsets and kinds.
func alike(a, b reflect.Type) bool {
	if a.Kind() != reflect.Struct || a.Size() != b.Size() || a.NumField() != b.NumField() {
		return false
	}
	for i := range a.NumField() {
		f, g := a.Field(i), b.Field(i)
		if f.Name != g.Name || f.Offset != g.Offset || f.Type.Kind() != g.Type.Kind() {
			return false
		}
	}
	return true
}

func (s stream) read(p []byte) (int, error) { return readBuffer(unsafe.Pointer(s.buffer), p) }

// next waits for data from the server and takes it without a copy: as many pieces as into has room
// for, and at most most bytes, unless the first piece is longer.
func (s stream) next(into [][]byte, most int) ([][]byte, int, error) {
	b, n := s.buffer, 0
	b.L.Lock()
	defer b.L.Unlock()
	for {
		switch length := len(b.head.buf); {
		case n > 0 && (n+length > most || len(into) == cap(into)):
			return into, n, nil
		case length > 0:
			into, n = append(into, b.head.buf), n+length
			b.head.buf = nil
		case b.head != b.tail:
			b.head = b.head.next
		case n > 0:
			return into, n, nil
		case b.closed:
			return nil, 0, io.EOF
		default:
			b.Wait()
		}
	}
}

// credit lets the server send more. If it fails, the link is ending, which other calls report.
func (s stream) credit(n uint32) { adjustWindow(s.channel, n) }
