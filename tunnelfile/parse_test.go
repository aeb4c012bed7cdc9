package tunnelfile

import (
	"fmt"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/holdfast/holdfast/testbed"
)

// everything is a file with every section and every kind of line.
const everything = `# A comment
; and another

[Tunnel]
Description=signald's socket, from home ; and this is part of it
Destination=me@remote.server            ; anything ssh takes: alias, user@host, ssh://user@host:port
LocalForward=/run/user/1000/signald.sock:/run/signald/signald.sock
LocalForward=127.0.0.1:5432 db.internal:5432     ; ssh_config spelling, and ssh -L spelling, both
RemoteForward=9090:localhost:9090
DynamicForward=1080
Start=on-demand                         ; auto | on-demand | manual
IdleTimeout=1min 30s
HoldTimeout=0
MaxHeld = 12
AllowUsers=self
Connections=auto
Tags=work db
Tags=db home
GateTime=500ms
RetryMax=2min
Transport=openssh
ExecUp=/usr/bin/notify-send "it is up; at last" \
    # in the middle of a value
    --urgency=low
ExecUp=true
ExecDown=sh -c 'echo down; sleep 1'
Check=connect
MaxChannels=100
NoDelay=yes
RetryDenied=5min
Metered=off
OnlyOn=Home "Office *"
OnlyOn=Train
NeverOn=Hotel*

[SSH]                                   ; any ssh_config(5) keyword; beats ~/.ssh/config
serveraliveinterval=10
IdentityFile=~/.ssh/a
IdentityFile="~/.ssh/b c" # two of them
ProxyCommand=sh -c 'nc %h %p; true' ; echo

[Unit]
After=a.service b.service
[Service]                               ; handed on to the tunnel's transient unit
MemoryMax=64M
ExecStartPre=/bin/true ; /bin/false
Environment=A=1
Environment=

[X-Tool]
Whatever=it likes
`

func TestParseEverything(t *testing.T) {
	const path = "/x/signald.tunnel"
	got, problems := Parse("signald", path, everything)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := Tunnel{
		Name: "signald", Path: path, Text: everything,
		Description: "signald's socket, from home ; and this is part of it",
		Destination: "me@remote.server",
		Forwards: []Forward{
			{LocalForward, Address{Unix: "/run/user/1000/signald.sock"}, Address{Unix: "/run/signald/signald.sock"}, "/run/user/1000/signald.sock:/run/signald/signald.sock", path, 7},
			{LocalForward, Address{Host: "127.0.0.1", Port: 5432, Bind: true}, Address{Host: "db.internal", Port: 5432}, "127.0.0.1:5432 db.internal:5432", path, 8},
			{RemoteForward, Address{Port: 9090}, Address{Host: "localhost", Port: 9090}, "9090:localhost:9090", path, 9},
			{DynamicForward, Address{Port: 1080}, Address{}, "1080", path, 10},
		},
		Start: StartOnDemand, IdleTimeout: 90 * time.Second, HoldTimeout: 0, MaxHeld: 12, AllowUsers: "self",
		Connections: 0, GateTime: 500 * time.Millisecond, RetryMax: 2 * time.Minute, Transport: TransportOpenSSH,
		ExecUp:   [][]string{{"/usr/bin/notify-send", "it is up; at last", "--urgency=low"}, {"true"}},
		ExecDown: [][]string{{"sh", "-c", "echo down; sleep 1"}},
		Check:    "connect", Metered: false, Tags: []string{"work", "db", "home"}, MaxChannels: 100, RetryDenied: 5 * time.Minute, NoDelay: true,
		OnlyOn: []string{"Home", "Office *", "Train"}, NeverOn: []string{"Hotel*"},
		SSH: []Setting{
			{"ServerAliveInterval", "10", path, 37},
			{"IdentityFile", "~/.ssh/a", path, 38},
			{"IdentityFile", `"~/.ssh/b c"`, path, 39},
			{"ProxyCommand", "sh -c 'nc %h %p; true' ; echo", path, 40},
		},
		Unit: []Setting{{"After", "a.service b.service", path, 43}},
		Service: []Setting{
			{"MemoryMax", "64M", path, 45},
			{"ExecStartPre", "/bin/true ; /bin/false", path, 46},
		},
	}
	got.written = nil // TestInForce looks at it
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestParseDefaults(t *testing.T) {
	got, problems := Parse("x", "", "[Tunnel]\nDestination=h\n")
	want := Tunnel{
		Name: "x", Text: "[Tunnel]\nDestination=h\n", Description: "h", Destination: "h", Start: StartAuto,
		IdleTimeout: 10 * time.Second, HoldTimeout: 30 * time.Second, MaxHeld: 256, AllowUsers: "any", Connections: 1,
		GateTime: 30 * time.Second, RetryMax: 60 * time.Second, Transport: TransportAuto, Check: "none", Metered: true,
	}
	got.written = nil
	if len(problems) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v\n%v", got, want, problems)
	}
}

// TestProblems has one file a case, and all that is wrong with it: "line: key: message",
// each with a part of the message.
func TestProblems(t *testing.T) {
	const good = "[Tunnel]\nDestination=h\n"
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"0:Destination:is missing"}},
		{"everything at once", "[Tunel]\nStart=auto\n[Tunnel]\nDestinaton=h\nStart=ondemand\nLocalForward=8080\nnonsense\n[SSH]\nServerAliveIntervall=3\n", []string{
			"1::[Tunel] is not a section of a tunnel file (did you mean Tunnel?)",
			"4:Destinaton:did you mean Destination?",
			`5:Start:"ondemand" is not auto, on-demand or manual (did you mean on-demand?)`,
			"6:LocalForward:does not say where 8080 goes",
			"7::is not KEY=VALUE",
			"9:ServerAliveIntervall:did you mean ServerAliveInterval?",
			"0:Destination:is missing",
		}},
		{"no section", "Destination=h\n" + good, []string{"1:Destination:before any section"}},
		{"a keyword in [Tunnel]", good + "IdentityFile=x\n", []string{"3:IdentityFile:belongs in [SSH]"}},
		{"a key in [SSH]", good + "[SSH]\nHoldTimeout=3\n", []string{"4:HoldTimeout:is a key of [Tunnel]"}},
		{"a forward in [SSH]", good + "[SSH]\nlocalforward=3\n", []string{"4:localforward:belongs in [Tunnel]"}},
		{"Host", good + "[SSH]\nHost=*\nMatch=all\nInclude=x\n", []string{"4:Host:for this tunnel's host alone", "5:Match:~/.ssh/config", "6:Include:drop-in"}},
		{"gone", good + "[SSH]\nProtocol=2\n", []string{"4:Protocol:no more"}},
		{"letter case", good + "start=auto\n", []string{"3:start:did you mean Start?"}},
		{"ssh spelling", good + "LocalForward 8080 a:80\n", []string{"3::write LocalForward=8080 a:80"}},
		{"enum", good + "Transport=opensssh\nAllowUsers=me\nCheck=yes\nMetered=maybe\n", []string{
			"3:Transport:did you mean openssh?", "4:AllowUsers:any or self", "5:Check:none or connect", "6:Metered:yes or no",
		}},
		{"spans", good + "IdleTimeout=-1\nRetryMax=500ms\nGateTime=1 fortnight\n", []string{"3:IdleTimeout:is not a time span", "4:RetryMax:shorter than 1s", "5:GateTime:is not a time span"}},
		{"RetryDenied", good + "RetryDenied=30s\nRetryDenied=nevr\nRetryDenied=infinity\n", []string{"3:RetryDenied:shorter than 1min", "4:RetryDenied:did you mean never?", "5:RetryDenied:write never"}},
		{"tags", good + "Tags=@work\nTags=a b/c\n", []string{"3:Tags:without the @", "4:Tags:\"b/c\" is not a tag"}},
		{"MaxChannels", good + "MaxChannels=0\n", []string{"3:MaxChannels:not a number from 1"}},
		{"RetryMax for ever", good + "RetryMax=infinity\n", []string{"3:RetryMax:give up"}},
		{"numbers", good + "MaxHeld=-1\nConnections=0\n", []string{"3:MaxHeld:not a number from 0", "4:Connections:not a number from 1 to 16"}},
		{"too many connections", good + "Connections=17\n", []string{"3:Connections:not a number from 1 to 16, nor auto"}},
		{"auto, misspelt", good + "Connections=atuo\n", []string{"3:Connections:did you mean auto?"}},
		{"on demand without a listener", good + "Start=on-demand\nRemoteForward=1:a:1\n", []string{"3:Start:needs a LocalForward"}},
		{"on demand with a listener that is misspelt", good + "Start=on-demand\nLocalForward=1\n", []string{"4:LocalForward:does not say where"}},
		{"destination", "[Tunnel]\nDestination=-oProxyCommand=x\n", []string{"2:Destination:begins with -"}},
		{"commands", good + "ExecUp=a ; b\nExecUp=./x\nExecUp=-x\nExecUp=\"\"\nExecDown=a \"b\n", []string{
			"3:ExecUp:a second ExecUp=", "4:ExecUp:whole path", "5:ExecUp:does not begin with -", "6:ExecUp:has no command", "7:ExecDown:not closed",
		}},
		{"globs", good + "OnlyOn=[\nNeverOn=\"\"\n", []string{"3:OnlyOn:is not a pattern", "4:NeverOn:empty pattern"}},
		{"twice in [SSH]", good + "[SSH]\nPort=1\nport=2\n", []string{"5:port:is set already on line 4"}},
		{"quotes in [SSH]", good + "[SSH]\nUser=\"me\n", []string{"4:User:not closed"}},
		{"section", good + "[SSH\n[Unit] x\n", []string{"3::no closing ]", "4::something behind [Unit]"}},
		{"no key", good + "=x\n", []string{"3::no key"}},
		{"NUL", good + "Description=a\x00b\n", []string{"3::control character (U+0000)"}},
		{"CR alone", good + "Description=a\rb\n", []string{"3::control character (U+000D)"}},
		{"not UTF-8", good + "Description=\xff\n", []string{"3::is not UTF-8"}},
		{"not UTF-8 in a continuation", good + "Description=a \\\n\xff\n", []string{"4::is not UTF-8"}},
		{"a continued line counts where it begins", good + "OnlyOn=a \\\nb \\\n[\nStrat=auto\n", []string{"3:OnlyOn:is not a pattern", "6:Strat:did you mean Start?"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Parse("x", "/x.tunnel", test.text)
			for i, problem := range problems {
				if problem.Path != "/x.tunnel" {
					t.Errorf("%v has the path %q", problem, problem.Path)
				}
				parts := []string{"", "", "(nothing)"}
				if i < len(test.want) {
					parts = strings.SplitN(test.want[i], ":", 3)
				}
				if fmt.Sprint(problem.Line) != parts[0] || problem.Key != parts[1] || !strings.Contains(problem.Message, parts[2]) {
					t.Errorf("problem %d is %d:%s:%s, want %v", i, problem.Line, problem.Key, problem.Message, parts)
				}
			}
			if len(problems) < len(test.want) {
				t.Errorf("only %d problems: %v", len(problems), problems)
			}
		})
	}
}

func TestParseReads(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, test := range []struct {
		name, text  string
		description string
	}{
		{"CRLF", "[Tunnel]\r\nDestination=h\r\nDescription=a\\\r\nb\r\n", "a b"},
		{"byte order mark", "\uFEFF[Tunnel]\nDestination=h\nDescription=a\n", "a"},
		{"no last newline", "[Tunnel]\nDestination=h\nDescription=a", "a"},
		{"blanks", "  [Tunnel]  \n\t Destination\t= h \n  Description =   a b  \n", "a b"},
		{"a long line", "[Tunnel]\nDestination=h\nDescription=" + long + "\n", long},
		{"continued over a comment", "[Tunnel]\nDestination=h\nDescription=a \\\n# no\n; no\n  b\n", "a    b"},
		{"an empty line ends a continuation", "[Tunnel]\nDestination=h\nDescription=a \\\n\nStart=auto\n", "a"},
		{"continued at the end", "[Tunnel]\nDestination=h\nDescription=a\\", "a"},
		{"an escaped backslash does not continue", "[Tunnel]\nDestination=h\nDescription=a\\\\\nStart=auto\n", `a\\`},
		{"the last one counts", "[Tunnel]\nDestination=h\nDescription=a\nDescription=b\n", "b"},
		{"a section in two parts", "[Tunnel]\nDescription=a\n[SSH]\nPort=1\n[Tunnel]\nDestination=h\n", "a"},
		{"empty takes back", "[Tunnel]\nDestination=h\nDescription=a\nDescription=\n", "h"},
		{"UTF-8", "[Tunnel]\nDestination=h\nDescription=Tür → Wald\n", "Tür → Wald"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, problems := Parse("x", "", test.text)
			if len(problems) > 0 || got.Description != test.description {
				t.Errorf("description %q, %v", got.Description, problems)
			}
		})
	}
}

func TestParseTooLong(t *testing.T) {
	_, problems := Parse("x", "/x", "[Tunnel]\nDestination=h\n#"+strings.Repeat("x", MaxFileSize))
	if len(problems) == 0 || !strings.Contains(problems[0].Message, "longer than 1048576 bytes") {
		t.Error(problems)
	}
	_, problems = Parse("x", "/x", "[Tunnel]\nDestination=h\n"+strings.Repeat("nonsense\n", 1000))
	if len(problems) != maxProblems+1 || problems[maxProblems].Message != "and 900 more problems" {
		t.Errorf("%d problems: %v", len(problems), problems[len(problems)-1])
	}
}

func TestEmptyAssignments(t *testing.T) {
	text := everything + `[Tunnel]
Description=
LocalForward=
DynamicForward=
DynamicForward=1081
Start=
IdleTimeout=
HoldTimeout= ; as if it had not been said
MaxHeld=
AllowUsers=
Connections=
Tags=
GateTime=
RetryMax=
Transport=
ExecUp=
ExecDown=
Check=
MaxChannels=
NoDelay=
RetryDenied=
Metered=
OnlyOn=
NeverOn=
[SSH]
IdentityFile=
ProxyCommand=
SERVERALIVEINTERVAL=
[Unit]
After=
[Service]
MemoryMax=
ExecStartPre=
`
	got, problems := Parse("x", "", text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want, _ := Parse("x", "", "[Tunnel]\nDestination=me@remote.server\nRemoteForward=9090:localhost:9090\nDynamicForward=1081\n")
	if plain(got) != plain(want) {
		t.Errorf("got  %s\nwant %s", plain(got), plain(want))
	}
}

func TestGlobs(t *testing.T) {
	for value, want := range map[string][]string{
		"Home":                  {"Home"},
		"Wired connection 1":    {"Wired", "connection", "1", "Wired connection 1"},
		`"Wired connection 1"`:  {"Wired connection 1"},
		`Home "Office *" Train`: {"Home", "Office *", "Train"},
		`Wired\ connection\ 1`:  {"Wired connection 1"},
		"Home ; where else":     {"Home"},
	} {
		got, problems := Parse("x", "", "[Tunnel]\nDestination=h\nOnlyOn="+value+"\n")
		if len(problems) > 0 || !slices.Equal(got.OnlyOn, want) {
			t.Errorf("OnlyOn=%s is %q, %v", value, got.OnlyOn, problems)
		}
	}
}

// plain is a tunnel without where and how it was written.
func plain(t Tunnel) string {
	t.Text, t.Path, t.written = "", "", nil
	t.Forwards = append([]Forward(nil), t.Forwards...)
	for i := range t.Forwards {
		t.Forwards[i].Text, t.Forwards[i].Line, t.Forwards[i].Path = "", 0, ""
	}
	slices.SortStableFunc(t.Forwards, func(a, b Forward) int {
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
	for _, settings := range []*[]Setting{&t.SSH, &t.Unit, &t.Service} {
		*settings = append([]Setting(nil), *settings...) // none is nil
		for i := range *settings {
			(*settings)[i].Line, (*settings)[i].Path = 0, ""
		}
	}
	return fmt.Sprintf("%#v", t)
}

func TestFormat(t *testing.T) {
	tunnel, _ := Parse("x", "", everything)
	again, problems := Parse("x", "", Format(tunnel))
	if len(problems) > 0 || plain(again) != plain(tunnel) {
		t.Errorf("written\n%s\nread %s\nwant %s\n%v", Format(tunnel), plain(again), plain(tunnel), problems)
	}
	if got := Format(again); got != Format(tunnel) {
		t.Errorf("written twice it is another:\n%s", got)
	}
}

// FuzzParse holds that what was read and is written is read alike, and that Set changes
// what it is to change and nothing else.
func FuzzParse(f *testing.F) {
	f.Add(everything, "Tunnel", "Start", "manual")
	f.Add("\uFEFF[Tunnel]\r\nDestination=h\\\r\n;x\r\nost\r\n", "SSH", "port", "22")
	f.Add("[Tunnel]\nDestination=h ; c\n", "Tunnel", "Destination", "me@host")
	f.Add("[Service]\nA=b\\", "Service", "A", "c ; d")
	f.Add("[SSH]\nSetEnv=\"a ; b\" # c", "SSH", "setenv", `a\`)
	f.Fuzz(func(t *testing.T, text, section, key, value string) {
		tunnel, problems := Parse("x", "", text)
		if len(problems) == 0 {
			again, problems := Parse("x", "", Format(tunnel))
			if len(problems) > 0 || plain(again) != plain(tunnel) {
				t.Errorf("%q, written %q: read %s, want %s, %v", text, Format(tunnel), plain(again), plain(tunnel), problems)
			}
		}

		if strings.HasSuffix(text, "\r") {
			return // half a line ending: a file that nobody has
		}
		changed, err := Set(text, section, key, []string{value})
		if err != nil {
			return
		}
		before, _ := scan(text)
		after, _ := scan(changed)
		others := func(d document) (list []string) {
			for _, e := range d.entries {
				if e.section != section || !sameKey(section, e.key, key) {
					list = append(list, e.section+"."+e.key+"="+strings.TrimSpace(e.value))
				}
			}
			return list
		}
		if !slices.Equal(others(before), others(after)) {
			t.Errorf("Set(%q, %q, %q, %q) changes other keys: %q", text, section, key, value, changed)
		}
		if again, err := Set(changed, section, key, []string{value}); err != nil || again != changed {
			t.Errorf("Set(%q, %q, %q, %q) is %q, and once more %q, %v", text, section, key, value, changed, again, err)
		}
		removed, err := Set(changed, section, key, nil)
		if err != nil {
			t.Errorf("%q: cannot remove %s.%s: %v", changed, section, key, err)
		}
		if gone, _ := scan(removed); len(gone.find(section, key)) > 0 || !slices.Equal(others(before), others(gone)) {
			t.Errorf("%q without %s.%s is %q", changed, section, key, removed)
		}
	})
}

// FuzzAsSystemd holds our reader against go-systemd's: what that one reads, and does not
// read otherwise for the reasons that syntax.go names, both read alike.
func FuzzAsSystemd(f *testing.F) {
	for _, s := range []string{everything, "[A]\nb=c\n", "[A]\nb = c d \n#x\n[B]\ne=\n", "[A]\nb=1=2", "\n\n[A]\n;\nb=c\n[A]\nb=d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\\") || strings.Contains(text, "\r") || strings.Contains(text, byteOrderMark) {
			return // continuations, CRLF and the mark, which it does not know
		}
		doc, problems := scan(text)
		if len(problems) > 0 {
			return
		}
		options, err := unit.DeserializeOptions(strings.NewReader(text))
		if err != nil {
			return // it minds what is behind a [Section], and long lines
		}
		var ours, theirs []string
		for _, e := range doc.entries {
			ours = append(ours, e.section+"."+e.key+"="+strings.TrimSpace(e.value))
		}
		for _, o := range options {
			theirs = append(theirs, o.Section+"."+o.Name+"="+o.Value)
		}
		if !slices.Equal(ours, theirs) {
			t.Errorf("%q\nours   %q\ntheirs %q", text, ours, theirs)
		}
	})
}

// TestKeywords holds the table against the ssh that is installed: all that it prints is known.
func TestKeywords(t *testing.T) {
	testbed.Need(t, "ssh")
	printed, err := exec.Command("ssh", "-F", "none", "-G", "host").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(printed), "\n") {
		if word, _, ok := strings.Cut(line, " "); ok && !isKeyword(word) && !slices.ContainsFunc(sshGone, func(s string) bool { return strings.EqualFold(s, word) }) {
			t.Errorf("ssh knows %q", word)
		}
	}
	for alias, word := range sshAliases {
		if !slices.Contains(sshKeywordNames(), word) {
			t.Errorf("%s stands for %s, which is not in the table", alias, word)
		}
	}
	if !slices.IsSorted(sshKeywordNames()) {
		t.Error("the table is not sorted")
	}
}
