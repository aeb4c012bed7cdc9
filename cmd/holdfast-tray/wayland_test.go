//go:build cgo && testbed

package main

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pointer is a mouse of a Wayland compositor made by wlroots (wlr-virtual-pointer-unstable-v1).
type pointer struct {
	*testing.T
	conn net.Conn
}

// The objects of our side of the connection.
const (
	waylandDisplay = iota + 1
	waylandRegistry
	waylandCallback
	waylandManager
	waylandPointer
)

// newPointer plugs one in, until the test ends.
func newPointer(t *testing.T) *pointer {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("WAYLAND_DISPLAY")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	p := &pointer{t, conn}
	p.request(waylandDisplay, 1, waylandRegistry)
	p.request(waylandDisplay, 0, waylandCallback) // sync: what is offered has been said
	const manager = "zwlr_virtual_pointer_manager_v1"
	for {
		object, opcode, args := p.event()
		if object == waylandCallback {
			t.Fatal("no " + manager)
		}
		if object != waylandRegistry || opcode != 0 {
			continue
		}
		name, length := binary.NativeEndian.Uint32(args), binary.NativeEndian.Uint32(args[4:])
		if string(args[8:8+length-1]) == manager {
			text := append([]byte(manager), 0)
			bind := binary.NativeEndian.AppendUint32(nil, name)
			bind = append(binary.NativeEndian.AppendUint32(bind, uint32(len(text))), text...)
			bind = append(bind, make([]byte, -len(text)&3)...)
			bind = binary.NativeEndian.AppendUint32(bind, 1)
			p.send(waylandRegistry, 0, binary.NativeEndian.AppendUint32(bind, waylandManager))
			break
		}
	}
	p.request(waylandManager, 0, 0, waylandPointer)
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	_ = conn.SetReadDeadline(time.Time{})
	return p
}

// event is the next that the compositor says.
func (p *pointer) event() (object, opcode uint32, args []byte) {
	var head [8]byte
	if _, err := io.ReadFull(p.conn, head[:]); err != nil {
		p.Fatal(err)
	}
	size := binary.NativeEndian.Uint32(head[4:])
	args = make([]byte, size>>16-8)
	if _, err := io.ReadFull(p.conn, args); err != nil {
		p.Fatal(err)
	}
	return binary.NativeEndian.Uint32(head[:]), size & 0xffff, args
}

func (p *pointer) request(object, opcode uint32, args ...uint32) {
	p.Helper()
	var b []byte
	for _, a := range args {
		b = binary.NativeEndian.AppendUint32(b, a)
	}
	p.send(object, opcode, b)
}

func (p *pointer) send(object, opcode uint32, args []byte) {
	p.Helper()
	b := binary.NativeEndian.AppendUint32(nil, object)
	b = binary.NativeEndian.AppendUint32(b, uint32(8+len(args))<<16|opcode)
	if _, err := p.conn.Write(append(b, args...)); err != nil {
		p.Error(err)
	}
}

// move goes to a point of a screen of this size.
func (p *pointer) move(x, y, width, height int) {
	p.request(waylandPointer, 1, stamp(), uint32(x), uint32(y), uint32(width), uint32(height))
	p.request(waylandPointer, 4)
	time.Sleep(50 * time.Millisecond) // whoever is there takes it in
}

// click presses a button of linux/input-event-codes.h, and lets it go.
func (p *pointer) click(button uint32) {
	for _, pressed := range []uint32{1, 0} {
		p.request(waylandPointer, 2, stamp(), button, pressed)
		p.request(waylandPointer, 4)
		time.Sleep(50 * time.Millisecond)
	}
}

// stamp is a time in milliseconds.
func stamp() uint32 { return uint32(time.Now().UnixMilli()) }
