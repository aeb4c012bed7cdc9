package journal

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// journald takes entries in its place.
func journald(t *testing.T) (entry func() string, handler *Handler, other *bytes.Buffer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	other = new(bytes.Buffer)
	handler = NewHandler(slog.LevelInfo, slog.NewTextHandler(other, nil))
	handler.journal.path = path
	return func() string {
		t.Helper()
		buf := make([]byte, 1<<17)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}, handler, other
}

func TestEntries(t *testing.T) {
	entry, handler, other := journald(t)
	name := "SYSLOG_IDENTIFIER=" + filepath.Base(os.Args[0]) + "\n"
	log := slog.New(handler).With("tunnel", "web")
	log.Debug("not this")
	log.Warn("cannot accept", "error", errors.New("too many open files"), "n", 3)
	if got, want := entry(), "MESSAGE=cannot accept error=\"too many open files\" n=3\nPRIORITY=4\n"+name+"HOLDFAST_TUNNEL=web\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	Event{Kind: State, State: "retrying", Reason: "unreachable", Status: "in 8s,\nrefused"}.Log(log.With("connection", 2), slog.LevelInfo, "retrying")
	want := "MESSAGE_ID=29b59ebf20e241f38752352ce8cfe2c9\nHOLDFAST_EVENT=state\nHOLDFAST_STATE=retrying\nHOLDFAST_REASON=unreachable\n" +
		"HOLDFAST_STATUS\n\x0e\x00\x00\x00\x00\x00\x00\x00in 8s,\nrefused\n" +
		"MESSAGE\n\x33\x00\x00\x00\x00\x00\x00\x00retrying [unreachable]: in 8s,\nrefused connection=2\nPRIORITY=6\n" + name + "HOLDFAST_TUNNEL=web\n"
	if got := entry(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	Event{Kind: State, State: "offline"}.Log(slog.New(handler), slog.LevelInfo, "offline", "tunnel", "db")
	if got := entry(); !strings.Contains(got, "MESSAGE=db: offline\n") || !strings.Contains(got, "HOLDFAST_TUNNEL=db\n") {
		t.Errorf("the daemon's: %s", got)
	}
	log.Error(strings.Repeat("x", 1<<20))
	if got := entry(); len(got) > 2*maxMessage {
		t.Errorf("%d bytes", len(got))
	}
	if other.Len() > 0 {
		t.Errorf("also said: %s", other)
	}

	handler.journal.conn.Close()
	handler.journal.conn, handler.journal.path = nil, filepath.Join(t.TempDir(), "nobody")
	log.Info("hello")
	if !strings.Contains(other.String(), "level=INFO msg=hello tunnel=web") {
		t.Errorf("without a journal: %q", other)
	}
}

// TestCatalogue: each message ID is explained, and nothing else is.
func TestCatalogue(t *testing.T) {
	text, err := os.ReadFile("../../packaging/holdfast.catalog")
	if err != nil {
		t.Fatal(err)
	}
	var explained int
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "-- ") {
			explained++
		}
	}
	for _, id := range MessageIDs() {
		if !strings.Contains(string(text), "-- "+id+"\n") {
			t.Errorf("%s is not in the catalogue", id)
		}
	}
	if explained != len(MessageIDs()) {
		t.Errorf("%d are explained, there are %d", explained, len(MessageIDs()))
	}
}
