package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// socketPath is where journald takes entries, see sd_journal_print(3).
var socketPath = "/run/systemd/journal/socket"

// maxMessage bounds the text of an entry, so that it fits into one datagram.
const maxMessage = 32 << 10

// Goes says whether f leads directly to the journal: JOURNAL_STREAM has the device and the inode of
// the stream that systemd connected, see systemd.exec(5). The variable alone is not enough, since
// the children of a terminal inherit it too.
func Goes(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// Handler writes log records to the journal: PRIORITY by their level, the attribute "tunnel"
// as HOLDFAST_TUNNEL, and the fields of an [Event].
type Handler struct {
	level   slog.Leveler
	journal *socket
	other   slog.Handler // gets what journald does not accept
	tunnel  string
	attrs   string // written with every record
}

// NewHandler makes a handler for records from level on. If journald takes no entries, they go to the
// other handler.
func NewHandler(level slog.Leveler, other slog.Handler) *Handler {
	return &Handler{level: level, journal: &socket{path: socketPath}, other: other}
}

// Enabled is slog.Handler's.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

// WithAttrs is slog.Handler's.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.other = h.other.WithAttrs(attrs)
	for _, a := range attrs {
		if a.Key == "tunnel" {
			with.tunnel = a.Value.String() // the entry's unit names it already
		} else {
			with.attrs += word(a)
		}
	}
	return &with
}

// WithGroup is slog.Handler's. Nothing of ours groups attributes.
func (h *Handler) WithGroup(name string) slog.Handler {
	with := *h
	with.other = h.other.WithGroup(name)
	return &with
}

// Handle is slog.Handler's.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	tunnel, attrs := h.tunnel, h.attrs
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "tunnel" {
			tunnel = a.Value.String()
		}
		attrs += word(a)
		return true
	})
	text := r.Message + attrs
	var entry bytes.Buffer
	if e, ok := eventIn(ctx); ok {
		text = e.message() + h.attrs
		if tunnel != h.tunnel {
			text = tunnel + ": " + text
		}
		field(&entry, "MESSAGE_ID", e.MessageID())
		field(&entry, "HOLDFAST_EVENT", string(e.Kind))
		field(&entry, "HOLDFAST_STATE", e.State)
		field(&entry, "HOLDFAST_REASON", e.Reason)
		field(&entry, "HOLDFAST_STATUS", e.Status)
	}
	field(&entry, "MESSAGE", text)
	field(&entry, "PRIORITY", strconv.Itoa(priority(r.Level)))
	field(&entry, "SYSLOG_IDENTIFIER", filepath.Base(os.Args[0]))
	if tunnel != "" {
		field(&entry, "HOLDFAST_TUNNEL", tunnel)
	}
	if h.journal.send(entry.Bytes()) == nil {
		return nil
	}
	return h.other.Handle(ctx, r)
}

// priority returns the priority of syslog(3) for a level.
func priority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

// word returns an attribute as it is in the text of an entry.
func word(a slog.Attr) string {
	value := a.Value.Resolve().String()
	if value == "" || strings.ContainsAny(value, " =\"") || strconv.Quote(value) != `"`+value+`"` {
		value = strconv.Quote(value)
	}
	return " " + a.Key + "=" + value
}

// field writes a field of an entry, in journald's native protocol.
func field(entry *bytes.Buffer, name, value string) {
	value = value[:min(len(value), maxMessage)]
	entry.WriteString(name)
	if strings.ContainsRune(value, '\n') {
		entry.WriteByte('\n')
		entry.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	} else {
		entry.WriteByte('=')
	}
	entry.WriteString(value)
	entry.WriteByte('\n')
}

// socket is the connection to journald. It is made when it is needed, and made anew after journald
// was restarted.
type socket struct {
	path string
	mu   sync.Mutex
	conn net.Conn
}

// sendPatience is how long to wait for a journald that does not read.
const sendPatience = time.Second

func (s *socket) send(entry []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for range 2 {
		if s.conn == nil {
			if s.conn, err = net.Dial("unixgram", s.path); err != nil {
				return err
			}
		}
		s.conn.SetWriteDeadline(time.Now().Add(sendPatience))
		if _, err = s.conn.Write(entry); err == nil {
			return nil
		}
		s.conn.Close()
		s.conn = nil
		if os.IsTimeout(err) {
			return err
		}
	}
	return err
}

// MessageIDs are all our message IDs, for a check of the catalogue.
func MessageIDs() []string {
	var ids []string
	for _, id := range messageIDs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
