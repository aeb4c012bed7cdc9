//go:build !fixedwindow

package wire

import (
	"reflect"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/crypto/ssh"
)

// x/crypto has no way to set a channel's window. What follows takes two of its functions by name,
// which is safe with the version that was tried and is not done with another.
const triedCrypto = "v0.58.0"

//go:linkname adjustWindow golang.org/x/crypto/ssh.(*channel).adjustWindow
func adjustWindow(ch unsafe.Pointer, more uint32) error

//go:linkname readBuffer golang.org/x/crypto/ssh.(*buffer).Read
func readBuffer(b unsafe.Pointer, p []byte) (int, error)

// FixedWindow is why the windows of channels do not grow; empty: they do.
func FixedWindow() string { return fixedWindow() }

var fixedWindow = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return untried(info)
})

// untried says what of a build was not tried; empty: nothing.
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

// stream reads a channel and decides itself what the server may send.
type stream struct {
	channel unsafe.Pointer // *ssh.channel
	buffer  unsafe.Pointer // *ssh.buffer, what came and was not read
}

// newStream is false where the channel is not of x/crypto as it was tried.
func newStream(ch ssh.Channel) (stream, bool) {
	v := reflect.ValueOf(ch)
	if FixedWindow() != "" || v.Type().String() != "*ssh.channel" {
		return stream{}, false
	}
	pending := v.Elem().FieldByName("pending")
	if !pending.IsValid() || pending.Type().String() != "*ssh.buffer" {
		return stream{}, false
	}
	return stream{v.UnsafePointer(), pending.UnsafePointer()}, true
}

func (s stream) read(p []byte) (int, error) { return readBuffer(s.buffer, p) }

// credit lets the server send more. That it fails shows elsewhere.
func (s stream) credit(n uint32) { adjustWindow(s.channel, n) }
