package testbed

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// facts have one home each: what the pattern finds may stand there and nowhere else. A fact with
// two homes is changed in one of them and believed in the other.
var facts = []struct {
	what    string
	pattern string
	homes   []string // folders, or files
}{
	{"time spans for people: text.Span, Ago, Period", `"(min|h)", "(s|min)"\)|%d (min|days)"`, []string{"internal/text"}},
	{"time spans in files: tunnelfile.ParseSpan, FormatSpan", `"(minutes|months|weeks)": `, []string{"tunnelfile/span.go"}},
	{"bytes for people: text.Bytes", `"KiB"|%[.0-9a-z]*[fg] [KMG]iB"`, []string{"internal/text"}},
	{"plurals: text.Count", `%d %ss"|\+ "s"$`, []string{"internal/text"}},
	{"what is printable: text.Printable", `\\u202[aAeE]`, []string{"internal/text"}},
	{"the home folder as ~: text.Tilde", `return "~/" \+ rest$`, []string{"internal/text"}},
	{"edit distance: text.Nearest", `(?i)func (typingMistakes|(edit|levenshtein)?distance)\(`, []string{"internal/text"}},
	{"labels of object paths: tunnelfile.EncodeLabel", `PathBusEscape|func (un)?hex\(|_%02x`, []string{"tunnelfile/names.go"}},
	{"signals to a worker: tunnelfile.SignalReload and so on", `Signal\(3[456]\)|SIGUSR[12]`, []string{"tunnelfile/state.go"}},
	{"the keywords of ssh_config(5): tunnelfile's table", `\{"ServerAliveCountMax", |ServerAliveCountMax ServerAliveInterval`, []string{"tunnelfile/sshkeywords.go"}},
	{"our defaults for ssh: tunnelfile.SSHDefaults", `Unlink: +true|"StreamLocalBindUnlink", Value: "yes"`, []string{
		"tunnelfile/sshkeywords.go",
		"sshlink/config/sshg.go", // what tells whether anybody has set it
	}},
	{"the umask of unix sockets: tunnelfile.StreamLocalBindMask", `StreamLocalBindMask.*0o?177`, []string{"tunnelfile/sshkeywords.go"}},
	{"timers of the kernel: internal/timerfd", `TimerfdCreate`, []string{"internal/timerfd"}},
	{"patterns of ssh_config(5): config.MatchPattern", `star, mark`, []string{"sshlink/config/pattern.go"}},
	{"destinations: tunnelfile.CheckDestination, DestinationParts", `"ssh://"\)|LastIndexByte\(\w+, '@'\)`, []string{
		"tunnelfile/destination.go",
		"sshlink/config/resolve.go", // a ProxyJump as ssh -G prints it, which is none
	}},
	{"who is at the other end of a unix socket: sockets.PeerUID", `GetsockoptUcred`, []string{"internal/sockets/peer.go"}},
	{"the keys that ssh tries: config.DefaultIdentities", `id_(rsa|dsa|ecdsa|ed25519)(_sk)?"`, []string{
		"sshlink/config/withoutssh.go",
		"checkup/keys.go", // an example, where no key is known
		"cli/demo",        // a key of its own
	}},
	{"booleans of unit files: words.Boolean", `"true", "t", "on"`, []string{"internal/words"}},
	{"reports: internal/report", `GET /status HTTP`, []string{"internal/report"}},
	{"metric families of tunnels: internal/metrics", `"holdfast_(state|up_since|forward|round_trip|reconnects|connections|held|channels|sent|received)`, []string{"internal/metrics"}},
	{"who has a local address: internal/sockets", `/proc/net/(tcp|unix)`, []string{
		"internal/sockets",
		"cli/add/listening.go", // what a server is asked, not this machine
	}},
	{"the interface of properties: bus.PropertiesInterface", `"org\.freedesktop\.DBus\.Properties|\+ "\.Properties"`, []string{"internal/bus"}},
	{"errors of a name without an owner: bus.NoOwner", `NameHasNoOwner`, []string{"internal/bus"}},
	{"a service that waits for its next start: tunnelfile.StateOf", `"auto-restart`, []string{"tunnelfile/status.go"}},
	{"the name of the worker's program: tunnelfile.Program", `"holdfast-tunnel@?"`, []string{"tunnelfile/names.go"}},
	{"bus connections: internal/bus", `dbus\.(Dial|Connect|SessionBus|SystemBus|ConnectSessionBus|ConnectSystemBus)\(`, []string{
		"internal/bus",
		"dbusapi/apitest", // a client as others write one
	}},
}

// TestFacts finds facts that have got a second home.
func TestFacts(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	patterns, found := make([]*regexp.Regexp, len(facts)), make([]bool, len(facts))
	for i, f := range facts {
		patterns[i] = regexp.MustCompile(f.pattern)
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || slices.Contains([]string{"testbed", "packaging", "bin", "dist"}, name)):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		number := 0
		for line := range strings.Lines(string(source)) {
			number++
			line, _, _ = strings.Cut(strings.TrimSpace(line), "// ")
			for i, f := range facts {
				if !patterns[i].MatchString(line) {
					continue
				}
				if !slices.ContainsFunc(f.homes, func(home string) bool { return name == home || strings.HasPrefix(name, home+"/") }) {
					t.Errorf("%s:%d: %s: at home in %s\n%s", name, number, f.what, strings.Join(f.homes, ", "), line)
				}
				found[i] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range facts {
		if !found[i] {
			t.Errorf("%s: found nowhere; is the pattern still right?", f.what)
		}
	}
}
