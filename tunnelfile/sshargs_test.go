package tunnelfile

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestFromSSHArguments(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, args, want string }{
		{"the contract's", "-L 9090:localhost:9090 -N me@host", "[Tunnel]\nDestination=me@host\nLocalForward=9090:localhost:9090\n"},
		{"only where", "host", "[Tunnel]\nDestination=host\n"},
		{"URI", "ssh://me@host:2222", "[Tunnel]\nDestination=ssh://me@host:2222\n"},
		{"forwards", "-L 1:a:1 -L/run/a:/run/b -R 9090:localhost:9090 -R 1081 -D1080 h",
			"[Tunnel]\nDestination=h\nLocalForward=1:a:1\nLocalForward=/run/a:/run/b\nRemoteForward=9090:localhost:9090\nRemoteForward=1081\nDynamicForward=1080\n"},
		{"options behind the destination", "me@host -N -L 1:a:1", "[Tunnel]\nDestination=me@host\nLocalForward=1:a:1\n"},
		{"letters together", "-fNT -p2222 -vvv -qC h", "[Tunnel]\nDestination=h\n\n[SSH]\nPort=2222\nCompression=yes\n"},
		{"letters, the last with an argument", "-fNL 1:a:1 -Np 22 h", "[Tunnel]\nDestination=h\nLocalForward=1:a:1\n\n[SSH]\nPort=22\n"},
		{"autossh", "-M 0 -f -N -L 1:a:1 h", "[Tunnel]\nDestination=h\nLocalForward=1:a:1\n"},
		{"autossh, attached", "-M20000 h", "[Tunnel]\nDestination=h\n"},
		{"autossh, with an echo port", "-fM 20000:7 h", "[Tunnel]\nDestination=h\n"},
		{"--", "-N -- me@host", "[Tunnel]\nDestination=me@host\n"},
		{"the recipe", "-M 0 -N -T -q -o ServerAliveInterval=10 -o ServerAliveCountMax=3 -oExitOnForwardFailure=yes -o StreamLocalBindUnlink=yes -L /run/user/1000/s:/run/s me@host",
			"[Tunnel]\nDestination=me@host\nLocalForward=/run/user/1000/s:/run/s\n\n[SSH]\nServerAliveInterval=10\nServerAliveCountMax=3\nExitOnForwardFailure=yes\nStreamLocalBindUnlink=yes\n"},
		{"-o with blanks", "-o|serveraliveinterval 3|-o|Port = 22|h", "[Tunnel]\nDestination=h\n\n[SSH]\nServerAliveInterval=3\nPort=22\n"},
		{"-o with a forward", "-o|LocalForward=1 a:1|-o|remoteforward 2:b:2|h", "[Tunnel]\nDestination=h\nLocalForward=1 a:1\nRemoteForward=2:b:2\n"},
		{"-o as -f, -n, -N, -T", "-o SessionType=none -o RequestTTY=no -o StdinNull=yes -o ForkAfterAuthentication=yes -o Protocol=2 h", "[Tunnel]\nDestination=h\n"},
		{"the first counts", "-p 1 -p 2 -o Port=3 -4 -6 h", "[Tunnel]\nDestination=h\n\n[SSH]\nPort=1\nAddressFamily=inet\n"},
		{"keys add up", "-i ~/.ssh/a -i /b -o IdentityFile=%d/c h", "[Tunnel]\nDestination=h\n\n[SSH]\nIdentityFile=~/.ssh/a\nIdentityFile=/b\nIdentityFile=%d/c\n"},
		{"a relative key", "-i key.pem h", "[Tunnel]\nDestination=h\n\n[SSH]\nIdentityFile=" + here + "/key.pem\n"},
		{"the rest", "-6 -J a,b -b 198.51.100.1 -B eth0 -c aes128-ctr -m hmac-sha2-256 -I /p11.so -K -S none -l me -g -P work -E /tmp/log -e none -aAxy2 h",
			"[Tunnel]\nDestination=h\n\n[SSH]\nAddressFamily=inet6\nProxyJump=a,b\nBindAddress=198.51.100.1\nBindInterface=eth0\nCiphers=aes128-ctr\nMACs=hmac-sha2-256\nPKCS11Provider=/p11.so\nGSSAPIAuthentication=yes\nControlPath=none\nUser=me\nGatewayPorts=yes\nTag=work\n"},
		{"a path with a blank", "-L|/run/my sock:/run/b|h", "[Tunnel]\nDestination=h\nLocalForward=\"/run/my sock:/run/b\"\n"},
		{"a percent sign in a path", "-L /run/100%%/a:/b%%%%c -R /d%%:h:1 h", "[Tunnel]\nDestination=h\nLocalForward=/run/100%/a /b%%c\nRemoteForward=/d% h:1\n"},
		{"a command with a semicolon", "-o|ProxyCommand=sh -c 'nc %h %p; true' ; echo|h", "[Tunnel]\nDestination=h\n\n[SSH]\nProxyCommand=sh -c 'nc %h %p; true' ; echo\n"},
		{"the same user twice", "-l me me@h", "[Tunnel]\nDestination=me@h\n\n[SSH]\nUser=me\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := FromSSHArguments(split(test.args))
			if err != nil || got != test.want {
				t.Errorf("got\n%s\nwant\n%s\n%v", got, test.want, err)
			}
		})
	}
}

// split splits a command line at bars where it has some, at blanks else.
func split(args string) []string {
	if strings.Contains(args, "|") {
		return strings.Split(args, "|")
	}
	return strings.Fields(args)
}

func TestFromSSHArgumentsRefuses(t *testing.T) {
	for args, why := range map[string]string{
		"-N":                          "no destination",
		"-L 1:a:1":                    "no destination",
		"--":                          "no destination",
		"h uptime -a":                 "RemoteCommand=uptime -a",
		"h -N uptime":                 "uptime: a command",
		"-- h uptime":                 "RemoteCommand=uptime",
		"h -- uptime":                 "RemoteCommand=uptime",
		"ssh -L 1:a:1 me@h":           "leave out the word ssh",
		"/usr/bin/autossh -M 0 h":     "leave out the word autossh",
		"-L":                          "-L: needs an argument",
		"-L 8080 h":                   "-L 8080: does not say where",
		"-R 1:2:3:4:5 h":              "-R 1:2:3:4:5:",
		"-D 0 h":                      "-D 0: port 0",
		"-L /run/%u:/b h":             "%u in the path of a socket",
		"-Z h":                        "-Z: ssh has no such option",
		"--long h":                    "--long: ssh has no such option",
		"-F /tmp/c h":                 "-F /tmp/c: a tunnel reads ~/.ssh/config",
		"-W a:1 h":                    "-W a:1: standard input",
		"-w 0:0 h":                    "-w 0:0: a tunnel forwards no network device",
		"-O exit h":                   "-O exit:",
		"-Q cipher":                   "-Q cipher:",
		"-G h":                        "-G:",
		"-V":                          "-V:",
		"-X h":                        "-X:",
		"-NY h":                       "-Y:",
		"-s h":                        "-s:",
		"-1 h":                        "-1:",
		"-M h":                        "-M: a tunnel's connection is no ControlMaster",
		"-MN h":                       "-M:",
		"-o Nonsense=1 h":             "-o Nonsense=1: Nonsense is not a keyword",
		"-o ServerAliveIntervall=1 h": "did you mean ServerAliveInterval?",
		"-o Port h":                   "is not KEYWORD=VALUE",
		"-o Host=x h":                 "-o Host=x: Host has no place here",
		"-o|User=a\nProxyCommand=b|h": "control character",
		"-l me you@h":                 "names another user",
		"me@h:22":                     "write ssh://me@h:22",
		"-- -oProxyCommand=x":         "begins with -",
	} {
		got, err := FromSSHArguments(split(args))
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %q, %v, want something about %q", args, got, err, why)
		}
	}
}

func TestCarryOver(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		args, want       string
		leftOut          int
		forwards, forAll bool
		err              string
	}{
		{"-N -L 1:a:1 h", "[Tunnel]\nDestination=h\nLocalForward=1:a:1\n", 0, true, true, ""},
		{"-X -sw 0:0 -D 1 h", "[Tunnel]\nDestination=h\nDynamicForward=1\n", 3, true, false, ""},
		{"-fM -o SessionType=none h sleep -N 5", "[Tunnel]\nDestination=h\n", 2, false, true, ""},
		{"-i k -i /k -i ~/k h", "[Tunnel]\nDestination=h\n\n[SSH]\nIdentityFile=/there/k\nIdentityFile=/k\nIdentityFile=~/k\n", 0, false, false, ""},
		{"-F x -L 1:a:1 -N h", "[Tunnel]\nDestination=h\nLocalForward=1:a:1\n", 0, true, true, ""},
		{"-W x:1 -L 1:a:1 -N h", "", 0, true, true, "-W x:1:"},
		{"-L 1 -o Nonsense=1 h", "", 0, true, false, "-L 1:"},
		{"h uptime", "[Tunnel]\nDestination=h\n", 1, false, false, ""},
	} {
		got, err := CarryOver(split(test.args), "/there")
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v", test.args, err)
		}
		if err == nil && got.Text != test.want || len(got.LeftOut) != test.leftOut || got.Forwards != test.forwards || got.NoCommand != test.forAll {
			t.Errorf("%s: %+v", test.args, got)
		}
	}
}

// FuzzSSHArguments holds that whatever comes in by arguments, the file parses, and says
// where to go and what to forward as the arguments did.
func FuzzSSHArguments(f *testing.F) {
	for _, s := range []string{"-fNT -p2222 -L 1:a:1 me@host", "-M 0 -D 1080 h", "-o|ProxyCommand=a ; b|h", "-L|/a b:/c;d|h", "-i|'x \"|h", "-l|a;b|h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := split(line)
		text, err := FromSSHArguments(args)
		if err != nil {
			return
		}
		tunnel, problems := Parse("x", "", text)
		if len(problems) > 0 {
			t.Fatalf("%q makes %q: %v", args, text, problems)
		}
		if !strings.Contains(line, tunnel.Destination) {
			t.Errorf("%q goes to %q", args, tunnel.Destination)
		}
		if len(tunnel.Unit)+len(tunnel.Service) > 0 {
			t.Errorf("%q makes %q", args, text)
		}
	})
}
