package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/lazyregexp"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

// answers is what `ssh -G` prints: the keywords in lower case, each with its values in the order
// printed.
type answers map[string][]string

// first is a keyword's first value, or empty.
func (a answers) first(keyword string) string {
	if v := a[keyword]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// parseAnswers reads the output of `ssh -G`. Each line is a keyword, a space and the value. A value
// may contain spaces, and is never quoted.
func parseAnswers(text string) answers {
	a := make(answers)
	for line := range strings.Lines(text) {
		keyword, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if keyword == "" {
			continue
		}
		keyword = strings.ToLower(keyword)
		a[keyword] = append(a[keyword], value)
	}
	return a
}

// sentinels are values that nobody sets and that differ from ssh's own defaults. If ssh -G prints
// one, nothing that ssh read before it had set the keyword.
var sentinels = []tunnelfile.Setting{
	{Key: "ServerAliveInterval", Value: "86399"},
	{Key: "ServerAliveCountMax", Value: "86399"},
	{Key: "ExitOnForwardFailure", Value: "yes"},
	{Key: "StreamLocalBindUnlink", Value: "yes"},
	{Key: "ConnectTimeout", Value: "86399"},
	{Key: "TCPKeepAlive", Value: "no"},
	{Key: "Ciphers", Value: "aes192-ctr"},
	{Key: "MACs", Value: "hmac-sha2-512"},
	{Key: "KexAlgorithms", Value: "diffie-hellman-group16-sha512"},
	{Key: "HostKeyAlgorithms", Value: "ecdsa-sha2-nistp521"},
	{Key: "PubkeyAcceptedAlgorithms", Value: "ecdsa-sha2-nistp521"},
	{Key: "PreferredAuthentications", Value: "none"},
	{Key: "IPQoS", Value: "cs7 cs7"},
	{Key: "LogLevel", Value: "QUIET"},
}

// sshTimeout limits one run of ssh -G. CanonicalizeHostname may ask a name server, and a Match exec
// in somebody's ssh_config may run anything.
const sshTimeout = 30 * time.Second

// resolution is what ssh made of a destination, and which keywords nobody set.
type resolution struct {
	values answers
	bare   answers         // the values without any file and without an [SSH] section
	unset  map[string]bool // keywords of sentinels that no file and no [SSH] setting sets
}

// errNoSSH says that this machine has no ssh binary.
var errNoSSH = errors.New("there is no ssh program here")

// askSSH asks ssh(1) what its configuration means for the destination.
//
// It runs ssh -G three times, in parallel. The first run is like `ssh DESTINATION`, with the [SSH]
// settings as -o, which win over every file. Its answer is the one that counts. The second run
// reads sentinels after everything else, under `Host *`. The third run reads no file. Together they
// show which keywords nobody has set. A single run with Holdfast's defaults at the end would not
// do: ssh reads a `Match final` in somebody's file even later, and that must win.
func askSSH(ctx context.Context, s Source, dest destination) (resolution, error) {
	program, err := exec.LookPath("ssh")
	if err != nil {
		return resolution{}, errNoSSH
	}
	ctx, cancel := context.WithTimeout(ctx, sshTimeout)
	defer cancel()

	var plain, behind, bare answers
	var plainErr, behindErr, bareErr error
	own := settingArgs(s.Settings)
	like := own // the arguments of the first run
	if s.ConfigFile != "" {
		like = append([]string{"-F", s.ConfigFile}, own...)
	}
	var wg sync.WaitGroup
	wg.Go(func() { plain, plainErr = runSSH(ctx, program, "", like, dest) })
	wg.Go(func() { behind, behindErr = runSSH(ctx, program, sentinelConfig(s.ConfigFile), own, dest) })
	wg.Go(func() { bare, bareErr = runSSH(ctx, program, "", []string{"-F", "none"}, dest) })
	wg.Wait()
	if isYes(plain.first("batchmode")) && bareErr == nil {
		// Debian's ssh then has another default for ServerAliveInterval.
		bare, bareErr = runSSH(ctx, program, "", []string{"-F", "none", "-o", "BatchMode=yes"}, dest)
	}
	if plainErr != nil {
		return resolution{}, blame(ctx, program, s, plainErr)
	}
	if bareErr != nil {
		return resolution{}, fault.Wrap(fault.Unreachable, bareErr, "ssh -G for %s", s.Destination)
	}
	if behindErr != nil {
		// This ssh lacks an algorithm of the sentinels, for example in FIPS mode. A keyword that
		// has ssh's own default then counts as unset.
		s.log().Debug("ssh -G with sentinels failed", "err", behindErr)
	}
	r := resolution{values: plain, bare: bare, unset: make(map[string]bool)}
	for _, sentinel := range sentinels {
		keyword := strings.ToLower(sentinel.Key)
		reached := behindErr != nil || behind.first(keyword) != bare.first(keyword)
		r.unset[keyword] = reached && plain.first(keyword) == bare.first(keyword)
	}
	return r, nil
}

// settingArgs are settings as -o arguments of ssh.
func settingArgs(settings []tunnelfile.Setting) []string {
	var args []string
	for _, s := range settings {
		args = append(args, "-o", s.Key+"="+s.Value)
	}
	return args
}

// sentinelConfig is the text of an ssh_config(5) file. It includes what ssh would have read by
// itself, and then sets the sentinels. A Host or Match in an included file ends with that file.
func sentinelConfig(configFile string) string {
	var b strings.Builder
	switch configFile {
	case "":
		b.WriteString("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config\n")
	case "none":
	default:
		// ssh reads a relative Include from ~/.ssh.
		if abs, err := filepath.Abs(configFile); err == nil {
			configFile = abs
		}
		fmt.Fprintf(&b, "Include \"%s\"\n", configFile)
	}
	b.WriteString("Host *\n")
	for _, s := range sentinels {
		fmt.Fprintf(&b, "%s %s\n", s.Key, s.Value)
	}
	return b.String()
}

// runSSH runs ssh -G with -N, because a tunnel has no session. If config is not empty, ssh reads it
// instead of the files.
func runSSH(ctx context.Context, program, config string, args []string, dest destination) (answers, error) {
	cmd := exec.CommandContext(ctx, program, "-G", "-N")
	if config != "" {
		file, err := memoryFile(config)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		cmd.Stdin = file
		cmd.Args = append(cmd.Args, "-F", "/dev/stdin")
	}
	cmd.Args = append(cmd.Args, args...)
	cmd.Args = append(cmd.Args, dest.args()...)
	// Files, not pipes: a child that a Match exec left behind may keep a pipe open. On a busy
	// machine any process that is just being started may do so too.
	stdout, err := memoryFile("")
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := memoryFile("")
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	abandonWhole(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if said := text.LastLines(contents(stderr), 3); said != "" {
			return nil, saidError(said)
		}
		return nil, err
	}
	return parseAnswers(contents(stdout)), nil
}

// abandonWhole makes the cancellation of cmd also end what cmd started, such as a Match exec that
// hangs. If there is a terminal, it changes nothing: cmd must stay in the foreground, because a
// Match exec may ask something there.
func abandonWhole(cmd *exec.Cmd) {
	if tty, err := os.Open("/dev/tty"); err == nil {
		tty.Close()
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// contents is all that has been written to a memory file.
func contents(f *os.File) string {
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
	return string(text)
}

// memoryFile is an unnamed file with the text in it. A pipe would not do as ssh's standard input:
// ssh may open /dev/stdin twice, the second time for Match final.
func memoryFile(text string) (*os.File, error) {
	fd, err := unix.MemfdCreate("ssh_config", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), "ssh_config")
	if _, err := f.WriteAt([]byte(text), 0); err != nil { // which does not move the place where ssh begins to read
		f.Close()
		return nil, err
	}
	return f, nil
}

// blame finds the [SSH] setting that ssh rejects, and names its line. If the mistake is in an
// ssh_config(5) file, ssh's own message names the line.
func blame(ctx context.Context, program string, s Source, failure error) error {
	if ctx.Err() != nil {
		return fault.Wrap(fault.Unreachable, failure, "ssh -G for %s took too long", s.Destination)
	}
	if passes(failure) {
		return fault.Wrap(fault.Unreachable, failure, "ssh cannot tell yet where %s is", s.Destination)
	}
	for _, one := range s.Settings {
		_, err := runSSH(ctx, program, "", append([]string{"-F", "none"}, settingArgs([]tunnelfile.Setting{one})...), destination{host: "localhost"})
		if err != nil && ctx.Err() == nil {
			return fault.Wrap(fault.Settings, tunnelfile.Problem{
				Path: one.Path, Line: one.Line, Key: one.Key, Message: withoutPlace(err.Error()),
			}, "[SSH]")
		}
	}
	return fault.Wrap(fault.Settings, failure, "ssh cannot make sense of its configuration for %s", s.Destination)
}

// passing matches what ssh -G says if not its configuration is wrong but something that it uses
// fails: a name server, a command that a signal ended, the kernel.
var passing = lazyregexp.New(`(?i)could not resolve host|name resolution|exited abnormally|` +
	`resource temporarily unavailable|cannot allocate memory|out of memory|too many open files|text file busy|input/output error|stale file handle`)

// passes says whether a run of ssh failed for a reason that may go away by itself.
func passes(err error) bool {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode() < 0 // ended by a signal
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrPermission) {
		return false
	}
	_, started := errors.AsType[saidError](err)
	return !started || passing.MatchString(err.Error())
}

// saidError is what ssh printed when it failed.
type saidError string

func (e saidError) Error() string { return string(e) }

// withoutPlace removes the place from ssh's message about a -o argument. ssh calls it line 0 of the
// command line, which means nothing to the person.
func withoutPlace(message string) string {
	for _, prefix := range []string{"command-line: line 0: ", "command-line line 0: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	return strings.TrimSuffix(message, ".")
}
