package tunnelfile

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

// forwardTests are specs as ssh reads them. A listen or target of "" is none.
var forwardTests = []struct {
	kind           ForwardKind
	spec           string
	listen, target Address
	listenText     string
}{
	{LocalForward, "8080:localhost:80", Address{Port: 8080}, Address{Host: "localhost", Port: 80}, "localhost:8080"},
	{LocalForward, "8080 localhost:80", Address{Port: 8080}, Address{Host: "localhost", Port: 80}, "localhost:8080"},
	{LocalForward, "8080   localhost:80 ", Address{Port: 8080}, Address{Host: "localhost", Port: 80}, "localhost:8080"},
	{LocalForward, `"8080" 'localhost:80'`, Address{Port: 8080}, Address{Host: "localhost", Port: 80}, "localhost:8080"},
	{LocalForward, "127.0.0.1:8080:db:80", Address{Host: "127.0.0.1", Bind: true, Port: 8080}, Address{Host: "db", Port: 80}, "127.0.0.1:8080"},
	{LocalForward, "*:8080:db:80", Address{Host: "*", Bind: true, Port: 8080}, Address{Host: "db", Port: 80}, "*:8080"},
	{LocalForward, ":8080:db:80", Address{Bind: true, Port: 8080}, Address{Host: "db", Port: 80}, "*:8080"},
	{LocalForward, "[]:8080 [db]:80", Address{Bind: true, Port: 8080}, Address{Host: "db", Port: 80}, "*:8080"},
	{LocalForward, "localhost:8080:db:80", Address{Host: "localhost", Bind: true, Port: 8080}, Address{Host: "db", Port: 80}, "localhost:8080"},
	{LocalForward, "[::1]:8080:[2001:db8::1]:80", Address{Host: "::1", Bind: true, Port: 8080}, Address{Host: "2001:db8::1", Port: 80}, "[::1]:8080"},
	{LocalForward, "[::1]:8080 [2001:db8::1]:80", Address{Host: "::1", Bind: true, Port: 8080}, Address{Host: "2001:db8::1", Port: 80}, "[::1]:8080"},
	{LocalForward, "8080:db:http", Address{Port: 8080}, Address{Host: "db", Port: 80}, "localhost:8080"},
	{LocalForward, "/run/a.sock:/run/b.sock", Address{Unix: "/run/a.sock"}, Address{Unix: "/run/b.sock"}, "/run/a.sock"},
	{LocalForward, "/run/a.sock /run/b.sock", Address{Unix: "/run/a.sock"}, Address{Unix: "/run/b.sock"}, "/run/a.sock"},
	{LocalForward, `"/run/my sock:/run/b.sock"`, Address{Unix: "/run/my sock"}, Address{Unix: "/run/b.sock"}, "/run/my sock"},
	{LocalForward, `/run/my\ sock:/run/b.sock`, Address{Unix: "/run/my sock"}, Address{Unix: "/run/b.sock"}, "/run/my sock"},
	{LocalForward, `"/run/my sock" "/run/his sock"`, Address{Unix: "/run/my sock"}, Address{Unix: "/run/his sock"}, "/run/my sock"},
	{LocalForward, `/run/a\:b:/run/c`, Address{Unix: "/run/a:b"}, Address{Unix: "/run/c"}, "/run/a:b"},
	{LocalForward, `[/run/a:b]:/run/c`, Address{Unix: "/run/a:b"}, Address{Unix: "/run/c"}, "/run/a:b"},
	{LocalForward, "5432:/run/pg", Address{Port: 5432}, Address{Unix: "/run/pg"}, "localhost:5432"},
	{LocalForward, "5432 /run/pg", Address{Port: 5432}, Address{Unix: "/run/pg"}, "localhost:5432"},
	{LocalForward, "0.0.0.0:5432:/run/pg", Address{Host: "0.0.0.0", Bind: true, Port: 5432}, Address{Unix: "/run/pg"}, "0.0.0.0:5432"},
	{LocalForward, "/run/pg:db:5432", Address{Unix: "/run/pg"}, Address{Host: "db", Port: 5432}, "/run/pg"},
	{LocalForward, "/run/pg db:5432", Address{Unix: "/run/pg"}, Address{Host: "db", Port: 5432}, "/run/pg"},
	{LocalForward, "/run/pg:[::1]:5432", Address{Unix: "/run/pg"}, Address{Host: "::1", Port: 5432}, "/run/pg"},
	{RemoteForward, "9090:localhost:9090", Address{Port: 9090}, Address{Host: "localhost", Port: 9090}, "localhost:9090"},
	{RemoteForward, "0:localhost:9090", Address{}, Address{Host: "localhost", Port: 9090}, "localhost:0"},
	{RemoteForward, "*:9090 localhost:9090", Address{Host: "*", Bind: true, Port: 9090}, Address{Host: "localhost", Port: 9090}, "*:9090"},
	{RemoteForward, "/srv/a:/run/b", Address{Unix: "/srv/a"}, Address{Unix: "/run/b"}, "/srv/a"},
	{RemoteForward, "/srv/a", Address{Unix: "/srv/a"}, Address{}, "/srv/a"},
	{RemoteForward, "1080", Address{Port: 1080}, Address{}, "localhost:1080"},
	{RemoteForward, "127.0.0.1:1080", Address{Host: "127.0.0.1", Bind: true, Port: 1080}, Address{}, "127.0.0.1:1080"},
	{RemoteForward, "[::1]:1080", Address{Host: "::1", Bind: true, Port: 1080}, Address{}, "[::1]:1080"},
	{DynamicForward, "1080", Address{Port: 1080}, Address{}, "localhost:1080"},
	{DynamicForward, "*:1080", Address{Host: "*", Bind: true, Port: 1080}, Address{}, "*:1080"},
	{DynamicForward, ":1080", Address{Bind: true, Port: 1080}, Address{}, "*:1080"},
	{DynamicForward, "[::1]:1080", Address{Host: "::1", Bind: true, Port: 1080}, Address{}, "[::1]:1080"},
	{DynamicForward, "/run/socks", Address{Unix: "/run/socks"}, Address{}, "/run/socks"},
}

func TestParseForward(t *testing.T) {
	for _, test := range forwardTests {
		got, err := ParseForward(test.kind, test.spec)
		if err != nil {
			t.Errorf("%s=%s: %v", test.kind, test.spec, err)
			continue
		}
		if got.Kind != test.kind || got.Text != test.spec || got.Listen != test.listen || got.Target != test.target {
			t.Errorf("%s=%s is %#v", test.kind, test.spec, got)
		}
		if got.ListenText() != test.listenText {
			t.Errorf("%s=%s listens on %q", test.kind, test.spec, got.ListenText())
		}
		if again, err := ParseForward(test.kind, got.Spec()); err != nil || again.Listen != got.Listen || again.Target != got.Target {
			t.Errorf("%s=%s, written %s, is read as %#v, %v", test.kind, test.spec, got.Spec(), again, err)
		}
	}
}

// badForwards are specs that are refused, with a part of the message. Those that ssh
// takes nevertheless say so.
var badForwards = []struct {
	kind       ForwardKind
	spec, why  string
	sshAccepts bool
}{
	{LocalForward, "8080", "does not say where 8080 goes", false},
	{LocalForward, "127.0.0.1:8080", "does not say where", false},
	{LocalForward, "/run/a", "does not say where", false},
	{LocalForward, "8080/localhost/80", "write 8080:localhost:80", false},
	{LocalForward, "0:a:80", "port 0 is not between 1 and 65535", false},
	{LocalForward, "99999:a:80", "port 99999 is not between", false},
	{LocalForward, "8080:a:0", "port 0 is not between", false},
	{LocalForward, "8080:a:65536", "port 65536", false},
	{LocalForward, "8080:a:-1", `"-1" is not a port`, false},
	{LocalForward, "8080:a:+80", `"+80" is not a port`, true},
	{LocalForward, "8080:a:nosuchservice", `"nosuchservice" is not a port`, false},
	{LocalForward, "8080::80", "the target has no host", true},
	{LocalForward, "8080 80", "neither host:port nor the path", false},
	{LocalForward, "8080 a:80 b:90", "3 arguments", false},
	{LocalForward, "/run/my sock:/run/b c", "quotes", false},
	{LocalForward, "::1:8080:a:80", "IPv6 addresses in brackets", false},
	{LocalForward, "[::1:8080:a:80", "no closing ]", false},
	{LocalForward, "[::1]8080:a:80", "between ] and the next colon", false},
	{LocalForward, "[1:2]:8080:a:80", `"1:2" is no IPv6 address`, true},
	{LocalForward, `8080:a:80\`, "ends in a backslash", false},
	{LocalForward, "relative/x:a:80", "does not begin with one", true},
	{LocalForward, "8080:relative/x", "does not begin with one", true},
	{LocalForward, "~/x:a:80", "write the whole path", true},
	{LocalForward, "%d/x:a:80", "write the whole path", true},
	{LocalForward, "${HOME}/x:a:80", "write the whole path", true},
	{LocalForward, "/run/x/:a:80", "is a folder", true},
	{LocalForward, "/" + strings.Repeat("x", 107) + ":a:80", "at most 107", false},
	{LocalForward, "127.0.0.1:/run/x:a:80", "no port and no address", false},
	{LocalForward, `"a b:8080:c:80"`, "neither a name nor an address", true},
	{LocalForward, `"`, "not closed", false},
	{LocalForward, "", "says nothing", false},
	{DynamicForward, "1080 a:80", "takes one argument", false},
	{DynamicForward, "1:2:3", "too much", false},
	{DynamicForward, "0", "port 0", false},
	{DynamicForward, `""`, "there is no port", false},
	{RemoteForward, "65536", "port 65536", false},
	{RemoteForward, "9090:", "there is no port", true},
}

func TestParseForwardRefuses(t *testing.T) {
	for _, test := range badForwards {
		got, err := ParseForward(test.kind, test.spec)
		if err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%s=%s: %v, want something about %q (it is %#v)", test.kind, test.spec, err, test.why, got)
		}
	}
}

// TestForwardsAsSSH holds the two tables against the real ssh.
func TestForwardsAsSSH(t *testing.T) {
	testbed.Need(t, "ssh")
	accepts := func(kind ForwardKind, spec string) bool {
		// The spelling in one argument is for the command line only.
		option := []string{"-o", string(kind) + " " + spec}
		if words, err := Words(spec); err == nil && len(words) == 1 {
			option = []string{"-" + string(kind[0]), words[0]}
		}
		return exec.Command("ssh", append(option, "-F", "none", "-G", "host")...).Run() == nil
	}
	for _, test := range forwardTests {
		if !accepts(test.kind, test.spec) {
			t.Errorf("ssh refuses %s=%s", test.kind, test.spec)
		}
	}
	for _, test := range badForwards {
		if got := accepts(test.kind, test.spec); got != test.sshAccepts {
			t.Errorf("ssh accepts %s=%s: %v", test.kind, test.spec, got)
		}
	}
}

func FuzzForward(f *testing.F) {
	for _, test := range forwardTests {
		f.Add(string(test.kind), test.spec)
	}
	for _, test := range badForwards {
		f.Add(string(test.kind), test.spec)
	}
	f.Fuzz(func(t *testing.T, kind, spec string) {
		got, err := ParseForward(ForwardKind(kind), spec)
		if err != nil {
			return
		}
		again, err := ParseForward(ForwardKind(kind), got.Spec())
		if err != nil || again.Listen != got.Listen || again.Target != got.Target {
			t.Errorf("%s=%s is %#v, written %s, read %#v, %v", kind, spec, got, got.Spec(), again, err)
		}
	})
}

func TestListeners(t *testing.T) {
	for _, test := range []struct {
		one, other string
		same       bool
	}{
		{"LocalForward=8080:a:1", "LocalForward=8080:b:1", true},
		{"LocalForward=8080:a:1", "DynamicForward=8080", true},
		{"LocalForward=8080:a:1", "LocalForward=localhost:8080:b:1", true},
		{"LocalForward=8080:a:1", "LocalForward=127.0.0.1:8080:b:1", true},
		{"LocalForward=8080:a:1", "LocalForward=[::1]:8080:b:1", true},
		{"LocalForward=8080:a:1", "LocalForward=*:8080:b:1", true},
		{"LocalForward=:8080:a:1", "LocalForward=198.51.100.1:8080:b:1", true},
		{"LocalForward=0.0.0.0:8080:a:1", "LocalForward=198.51.100.1:8080:b:1", true},
		{"LocalForward=[::]:8080:a:1", "LocalForward=[2001:db8::1]:8080:b:1", true},
		{"LocalForward=[::1]:8080:a:1", "LocalForward=[0:0::1]:8080:b:1", true},
		{"LocalForward=/run/a:b:1", "LocalForward=/run/a:c:1", true},
		{"LocalForward=name:8080:a:1", "LocalForward=name:8080:b:1", true},
		{"RemoteForward=8080:a:1", "RemoteForward=8080", true},

		{"LocalForward=8080:a:1", "LocalForward=8081:a:1", false},
		{"LocalForward=8080:a:1", "RemoteForward=8080:a:1", false},
		{"LocalForward=127.0.0.1:8080:a:1", "LocalForward=[::1]:8080:a:1", false},
		{"LocalForward=127.0.0.1:8080:a:1", "LocalForward=127.0.0.2:8080:a:1", false},
		{"LocalForward=0.0.0.0:8080:a:1", "LocalForward=[::]:8080:a:1", false},
		{"LocalForward=/run/a:b:1", "LocalForward=/run/b:b:1", false},
		{"RemoteForward=0:a:1", "RemoteForward=0:b:1", false},
	} {
		_, problems := Parse("x", "/x.tunnel", "[Tunnel]\nDestination=h\n"+test.one+"\n"+test.other+"\n")
		if got := len(problems) > 0; got != test.same {
			t.Errorf("%s and %s: %v", test.one, test.other, problems)
		}
		if test.same && (problems[0].Line != 4 || !strings.Contains(problems[0].Message, "on line 3")) {
			t.Errorf("%s and %s: %v does not name both lines", test.one, test.other, problems)
		}
	}
}
