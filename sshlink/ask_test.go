package sshlink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/sshlink/login"
	"github.com/holdfast/holdfast/testbed"
)

// asker is an Asker made of functions.
type asker struct {
	ask     func(ctx context.Context, q asking.Question) (string, error)
	confirm func(ctx context.Context, q asking.Question) (bool, error)
}

func (a asker) Ask(ctx context.Context, q asking.Question) ([]byte, error) {
	answer, err := a.ask(ctx, q)
	return []byte(answer), err
}

func (a asker) Confirm(ctx context.Context, q asking.Question) (bool, error) {
	return a.confirm(ctx, q)
}

// agentUnset leaves it to the environment which agent there is.
const agentUnset = "IdentityAgent="

// lockedLogin resolves a login that needs a passphrase.
func lockedLogin(t *testing.T, s *testbed.Server, ask asking.Asker, log *slog.Logger, more ...string) *Resolved {
	t.Helper()
	locked := lockedKey(t, filepath.Join(t.TempDir(), "locked"), "ed25519", secretWord)
	s.Authorize(locked.AuthorizedKey())
	section := append(more, "IdentityFile="+locked.File, "IdentityAgent=none") // the first that says it has the say
	for _, line := range s.SSHSettings() {
		if !strings.HasPrefix(line, "IdentityFile=") {
			section = append(section, line)
		}
	}
	if slices.Contains(more, agentUnset) {
		section = slices.DeleteFunc(section, func(line string) bool { return strings.HasPrefix(line, "IdentityAgent=") })
	}
	r, err := Resolve(t.Context(), source{Name: "web", Destination: s.Host, ConfigFile: "none", Settings: settings(section...), Log: log}, ask)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// lockedKey is an encrypted key that is quick to open: the usual 16 rounds of bcrypt take
// seconds under the race detector.
func lockedKey(t testing.TB, file, kind, passphrase string) testbed.Key {
	t.Helper()
	testbed.Need(t, "ssh-keygen")
	key := testbed.NewKey(t, file, kind, "")
	run(t, "ssh-keygen", "-q", "-p", "-a", "1", "-N", passphrase, "-f", file)
	return key
}

// TestNobodyAnswers wants a question that stays open to end with its context, with the
// server's patience, and with nothing else: ConnectTimeout does not count meanwhile.
func TestNobodyAnswers(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{Config: []string{"LoginGraceTime 5"}})
	var asked sync.WaitGroup
	silent := asker{ask: func(ctx context.Context, q asking.Question) (string, error) {
		defer asked.Done()
		<-ctx.Done()
		return "", ctx.Err()
	}}
	r := lockedLogin(t, s, silent, nil, "ConnectTimeout=3")

	asked.Add(1)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	start := time.Now()
	if _, err := r.Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("abandoned: %v", err)
	}
	if took := time.Since(start); took < 4*time.Second {
		t.Errorf("ConnectTimeout counted while a person was asked: %v", took)
	}
	asked.Wait()

	asked.Add(1)
	within(t, 20*time.Second, "Dial to a server that loses its patience", func() {
		// To try again at once would only make the server hang up once more.
		_, err := r.Dial(t.Context())
		if e := fault.As(err); e == nil || e.Class() != fault.ClassDenied || !strings.HasSuffix(err.Error(), "/locked; nobody answered before the server hung up") {
			t.Errorf("the server left: %v", err)
		}
	})
	asked.Wait()
}

// TestAnswers wants wrong answers to be asked again, and marked so.
func TestAnswers(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	var questions []asking.Question
	answers := []string{"wrong", secretWord}
	clumsy := asker{ask: func(_ context.Context, q asking.Question) (string, error) {
		questions = append(questions, q)
		return answers[len(questions)-1], nil
	}}
	l, err := lockedLogin(t, s, clumsy, nil).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if len(questions) != 2 || questions[0].Retry || !questions[1].Retry || questions[0].Kind != asking.KindPassphrase || questions[0].Echo || !strings.HasSuffix(questions[0].Subject, "/locked") {
		t.Errorf("%+v", questions)
	}
	for _, gone := range []struct {
		err  error
		says string
	}{
		{asking.ErrNobody, "/locked"},
		{fmt.Errorf("the tray: %w", asking.ErrNobody), "/locked"},
		{fmt.Errorf("%w within 5m", asking.ErrNoAnswer), "/locked; nobody answered within 5m"},
		{errors.New("dismissed"), "/locked; the question was declined"},
	} {
		_, err = lockedLogin(t, s, asker{ask: func(context.Context, asking.Question) (string, error) { return "", gone.err }}, nil).Dial(t.Context())
		if e := fault.As(err); e == nil || e.Class() != fault.ClassDenied || !strings.Contains(err.Error(), "needs a passphrase for") || !strings.HasSuffix(err.Error(), gone.says) {
			t.Errorf("%v: %v", gone.err, err)
		}
	}
}

// TestAgentThatDoesNotSign has one that lists a key and refuses its use, as GNOME's does where
// it can show no dialog: ssh's own agent does so with a key that is to be confirmed.
func TestAgentThatDoesNotSign(t *testing.T) {
	testbed.Need(t, "ssh-agent", "ssh-add")
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := testbed.SocketDir(t)
	t.Setenv("SSH_AUTH_SOCK", "")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	a := testbed.Agent(t)
	if err := os.Symlink(a.Socket, filepath.Join(dir, "ssh-agent.socket")); err != nil {
		t.Fatal(err)
	}
	nobody := asker{ask: func(context.Context, asking.Question) (string, error) { return "", asking.ErrNobody }}
	dial := func(chosen bool) error {
		setting := agentUnset
		if chosen {
			setting += a.Socket
		}
		r := lockedLogin(t, s, nobody, nil, setting)
		file := r.Written("identityfile")
		run(t, "sh", "-c", fmt.Sprintf("cp %[1]s %[1]s.plain && ssh-keygen -q -p -P %[2]s -N '' -f %[1]s.plain && SSH_AUTH_SOCK=%[3]s ssh-add -q -c %[1]s.plain", file, secretWord, a.Socket))
		l, err := r.Dial(t.Context())
		if err == nil {
			l.Close()
			t.Fatal("logged in")
		}
		t.Log(err)
		return err
	}
	if err := dial(true); !strings.Contains(err.Error(), "did not sign") {
		t.Errorf("an agent that the person chose: %v", err)
	}
	if err := dial(false); !strings.Contains(err.Error(), "needs a passphrase for") {
		t.Errorf("an agent that was found: %v", err)
	}
}

// TestAuthState wants it to change with what a login would use, and with nothing else.
func TestAuthState(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	a := testbed.Agent(t)
	key := testbed.NewKey(t, filepath.Join(t.TempDir(), "key"), "ed25519", "")
	known := filepath.Join(t.TempDir(), "known")
	r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: "none", Settings: settings(
		"IdentityAgent="+a.Socket, "IdentityFile="+key.File, "UserKnownHostsFile="+known, "GlobalKnownHostsFile=none")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := login.AuthState(t.Context(), r.Options)
	if again := login.AuthState(t.Context(), r.Options); again != last {
		t.Error("changes by itself")
	}
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"a key in the agent", func() { a.Add(s.Identity) }},
		{"a known_hosts file", func() { write(t, known, "x") }},
		{"a certificate", func() { write(t, key.File+"-cert.pub", "x") }},
		{"another key file", func() { write(t, key.File, "longer than it was") }},
		{"an agent that stops", a.Stop},
	} {
		c.change()
		now := login.AuthState(t.Context(), r.Options)
		if now == last {
			t.Errorf("%s changes nothing", c.what)
		}
		last = now
	}
	if s.Attempts() > 0 {
		t.Error("the server has heard of it")
	}
}

// TestSecretsStayOut wants no secret in a log at any level, in an error, or in a child's
// arguments or environment.
func TestSecretsStayOut(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	var mu sync.Mutex
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return logged.Write(p)
	}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, answer := range []string{secretWord, secretWord + "-but-wrong"} {
		person := asker{ask: func(context.Context, asking.Question) (string, error) { return answer, nil }}
		r := lockedLogin(t, s, person, log)
		l, err := r.Dial(t.Context())
		if err == nil {
			l.Close()
		}
		mu.Lock()
		if strings.Contains(logged.String()+fmt.Sprint(err), secretWord) {
			t.Errorf("said a secret: %v\n%s", err, logged.String())
		}
		mu.Unlock()
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
