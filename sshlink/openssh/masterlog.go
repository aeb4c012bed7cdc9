package openssh

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/lazyregexp"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/wire"
)

// masterLog reads what ssh prints on its standard error at LogLevel DEBUG1: what was negotiated,
// and why ssh ended.
//
// Many of ssh's messages contain words of the server, with newlines. The server's banner, and what
// it says before its questions, are messages of their own. So a line proves nothing. But ssh writes
// each message with one write(2), and a pipe with O_DIRECT gives each write to one read (pipe(2)):
// a message begins where a read begins. A message with only the server's words comes only while ssh
// logs in, after the negotiation and before ssh's own last words. The other messages are recognised
// by their beginning.
type masterLog struct {
	log   *slog.Logger
	trace *httptrace.ClientTrace // called for connects; may be nil

	mu      sync.Mutex
	phase   phase
	said    []string // the last messages, without debug messages
	tried   []string // keys that were offered, and other ways to log in
	taken   string   // the last key that was offered, if the server would accept it
	banner  string   // what the server sent in place of its version
	info    wire.Info
	doubted bool // two different host keys were named
	budget  budget
	reader  *os.File // our end of the pipe; nil: there is none
}

// phase is how far ssh has come.
type phase int

const (
	negotiating phase = iota
	loggingIn         // the host key was accepted
	loggedIn
)

// messageLimit limits a message of ssh, in bytes.
const messageLimit = 4096 // PIPE_BUF: a longer message comes in several reads

// saidLimit is how many messages are kept. A changed host key takes a dozen.
const saidLimit = 20

// start makes the pipe that ssh writes to, and starts a goroutine that reads it. When every writer
// has closed the pipe, the goroutine ends and closes done.
func (l *masterLog) start() (stderr *os.File, done <-chan struct{}, err error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_DIRECT|unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(ends[0], true); err != nil { // so that a read can have a deadline
		return nil, nil, errors.Join(err, unix.Close(ends[0]), unix.Close(ends[1]))
	}
	in, ended := os.NewFile(uintptr(ends[0]), "ssh's log"), make(chan struct{})
	l.reader = in
	go func() {
		defer close(ended)
		defer in.Close()
		message := make([]byte, messageLimit)
		for {
			n, err := in.Read(message)
			if err != nil {
				return
			}
			l.message(string(message[:n]))
		}
	}()
	return os.NewFile(uintptr(ends[1]), "ssh's log"), ended, nil
}

// finish waits until everything that ssh printed is read, but not longer than masterGrace, because
// a process that ssh left may keep the pipe open.
func (l *masterLog) finish(read <-chan struct{}) {
	select {
	case <-read:
	case <-time.After(masterGrace):
		l.reader.SetReadDeadline(time.Now())
		<-read
	}
}

// asksUs matches what ssh prints about a keepalive of the server.
var asksUs = lazyregexp.New(`^client_input_(?:global_request|channel_req): .*\brtype keepalive@openssh\.com `)

// debugMessages are the debug messages that are read, by their beginning. After its phase a
// message is ignored, because the server may have sent it.
var debugMessages = []struct {
	phase   phase // the last one in which it is read
	pattern *lazyregexp.Regexp
	read    func(l *masterLog, m []string)
}{
	{negotiating, lazyregexp.New(`^Connecting to \S+ \[(\S+)\] port (\d+)\.`), func(l *masterLog, m []string) {
		if l.trace != nil && l.trace.ConnectStart != nil {
			l.trace.ConnectStart("tcp", net.JoinHostPort(m[1], m[2]))
		}
	}},
	{negotiating, lazyregexp.New(`^Connection established\.`), func(l *masterLog, m []string) {
		if l.trace != nil && l.trace.ConnectDone != nil {
			l.trace.ConnectDone("tcp", "", nil)
		}
	}},
	{negotiating, lazyregexp.New(`^kex_exchange_identification: banner line \d+: (.+)`), func(l *masterLog, m []string) {
		if l.banner == "" {
			l.banner = text.FromPeer(m[1])
		}
	}},
	{negotiating, lazyregexp.New(`^Remote protocol version 2.0, remote software version (.+)`), func(l *masterLog, m []string) {
		l.info.ServerVersion = "SSH-2.0-" + text.FromPeer(m[1])
	}},
	{negotiating, lazyregexp.New(`^kex: algorithm: (\S+)`), func(l *masterLog, m []string) {
		l.info.Kex, l.info.PostQuantum = m[1], wire.PostQuantum(m[1])
	}},
	{negotiating, lazyregexp.New(`^kex: client->server cipher: (\S+) MAC: (\S+)`), func(l *masterLog, m []string) {
		l.info.Cipher, l.info.MAC = m[1], strings.TrimPrefix(m[2], "<implicit>")
	}},
	{negotiating, lazyregexp.New(`^Server host key: (\S+ SHA256:\S+)`), func(l *masterLog, m []string) { l.hostKey(m[1]) }},
	{negotiating, lazyregexp.New(`^Server host certificate: (\S+)-cert-v01@openssh\.com (SHA256:[^\s,]+)`), func(l *masterLog, m []string) {
		l.hostKey(m[1] + " " + m[2])
	}},
	{negotiating, lazyregexp.New(`^SSH2_MSG_SERVICE_ACCEPT received`), func(l *masterLog, m []string) { l.phase = loggingIn }},
	{loggingIn, lazyregexp.New(`^Offering public key: (.+) \S+ SHA256:\S+(?: (.*))?`), func(l *masterLog, m []string) {
		name := text.FromPeer(text.Tilde(m[1]))
		if strings.TrimSpace(m[2]) == "agent" { // and not "explicit agent", which a file names
			name += " (agent)"
		}
		l.tried, l.taken = append(l.tried, name), ""
	}},
	{loggingIn, lazyregexp.New(`^Server accepts key: (.+) \S+ SHA256:\S+`), func(l *masterLog, m []string) { l.taken = m[1] }},
	{loggingIn, lazyregexp.New(`^Next authentication method: (keyboard-interactive|password|gssapi-with-mic|hostbased)`), func(l *masterLog, m []string) {
		if !slices.Contains(l.tried, m[1]) {
			l.tried = append(l.tried, m[1])
		}
	}},
}

// hostKey records the host key. The ssh for a jump host may write to the same standard error. If
// two different keys are named, neither is believed.
func (l *masterLog) hostKey(key string) {
	l.doubted = l.doubted || l.info.HostKey != "" && l.info.HostKey != key
	l.info.HostKey = key
	if l.doubted {
		l.info.HostKey = ""
	}
}

// message reads one message.
func (l *masterLog) message(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if debug, ok := strings.CutPrefix(message, "debug1: "); ok {
		l.debug(debug)
		return
	}
	if m := authenticated.FindStringSubmatch(message); m != nil {
		l.info.Peer = net.JoinHostPort(m[1], m[2]) // the last one is from this ssh
	}
	if message = strings.TrimSpace(message); message == "" || chatter.MatchString(message) {
		return
	}
	l.said = append(l.said, printable(message))
	l.said = l.said[max(0, len(l.said)-saidLimit):]
	l.tell(message)
}

func (l *masterLog) debug(message string) {
	if asksUs.MatchString(message) {
		l.info.Asked++
	}
	if l.phase == loggedIn {
		return // a server can cause any number of these
	}
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(text.FromPeer(message))
	}
	for _, d := range debugMessages {
		if m := d.pattern.FindStringSubmatch(message); m != nil && l.phase <= d.phase {
			d.read(l, m)
			return
		}
	}
}

// tell logs a message, unless there were too many.
func (l *masterLog) tell(message string) {
	words := text.FromPeer(message)
	switch left, ok := l.budget.spend(time.Now()); {
	case !ok:
	case left > 0:
		l.log.Info(words, "left_out", left)
	default:
		l.log.Info(words)
	}
}

// up records that ssh has logged in. From then on, no debug message is read except those about
// keepalives.
func (l *masterLog) up() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = loggedIn
}

// budget limits how many messages are logged: some at once, and then one per budgetPause.
type budget struct {
	spent   int
	last    time.Time // when a message was logged
	leftOut int
}

const (
	budgetBurst = 30
	budgetPause = 10 * time.Second
)

// spend says whether one more message may be logged, and how many were left out since the last one.
func (b *budget) spend(now time.Time) (leftOut int, ok bool) {
	if back := int(now.Sub(b.last) / budgetPause); back > 0 {
		b.spent = max(0, b.spent-back)
	}
	if b.spent >= budgetBurst {
		b.leftOut++
		return 0, false
	}
	b.spent++
	leftOut, b.leftOut, b.last = b.leftOut, 0, now
	return leftOut, true
}

// printable makes each line of a message printable. It does not shorten the message.
func printable(message string) string {
	lines := strings.Split(message, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(text.Printable(line))
	}
	return strings.Join(lines, "\n")
}

// authenticated matches what ssh prints at this level when it has logged in. Through a proxy there
// is no address in it, and no match.
var authenticated = lazyregexp.New(`^Authenticated to .* \(\[(.+)\]:(\d+)\) using `)

// chatter matches what ssh prints at this level without need, and without a prefix.
var chatter = lazyregexp.New(`^(OpenSSH_|Authenticated to |Authenticated using |Transferred: |Bytes per second: |Warning: Permanently added |Host key fingerprint is |\+-.*-\+$|\|.{17}\|$)`)

// negotiated is what ssh printed about the connection.
func (l *masterLog) negotiated() wire.Info {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.info
}

// lastWords is what ssh itself printed about how it ended.
func (l *masterLog) lastWords() lastWords {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := lastWords{said: slices.Clone(l.said), tried: append([]string{}, l.tried...), taken: l.taken, shown: l.info.HostKey, phase: l.phase}
	if l.info.ServerVersion == "" {
		w.banner = l.banner
	}
	return w
}
