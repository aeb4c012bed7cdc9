package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestCommandLine(t *testing.T) {
	good := "[Tunnel]\nDestination=example.com\nLocalForward=1234 localhost:1\n"
	bad := "[Tunnel]\nLocalForward=x\nDestinaton=example.com\nRetryMax=never\n"
	for _, c := range []struct {
		what, text string
		args       []string
		status     int
		out, err   []string
	}{
		{"version", good, []string{"--version"}, 0, []string{"holdfast-tunnel"}, nil},
		{"help", good, []string{"--help"}, 0, []string{"Usage:"}, nil},
		{"no file", good, nil, 2, nil, []string{"one tunnel file"}},
		{"no such option", good, []string{"--frob", "FILE"}, 2, nil, []string{"frob"}},
		{"json of nothing", good, []string{"--once", "--json", "FILE"}, 2, nil, []string{"--json goes with"}},
		{"json of a check that does not log in", good, []string{"--check", "--json", "FILE"}, 2, nil, []string{"--json goes with"}},
		{"login without a check", good, []string{"--login", "FILE"}, 2, nil, []string{"--login goes with --check"}},
		{"all without print-config", good, []string{"--all", "FILE"}, 2, nil, []string{"--all and --tabs go with"}},
		{"once and check", good, []string{"--once", "--check", "FILE"}, 2, nil, []string{"--once and --listen"}},
		{"check and print-config", good, []string{"--check", "--print-config", "FILE"}, 2, nil, []string{"not both"}},
		{"check", good, []string{"--check", "FILE"}, 0, nil, nil},
		{"check, all problems", bad, []string{"--check", "FILE"}, 78, nil, []string{":2: LocalForward", ":3: Destinaton", "Destination?", ":4: RetryMax"}},
		{"a file that does not parse", bad, []string{"FILE"}, 78, nil, []string{":2: LocalForward"}},
		{"what ssh does not know", good + "[SSH]\nCiphers=none-such\n", []string{"--check", "FILE"}, 78, nil, []string{"Ciphers", "none-such"}},
		{"too many connections", good + "Connections=17\n", []string{"--check", "FILE"}, 78, nil, []string{`Connections: "17" is not a number from 1 to 16`}},
		{"print-config", good + "[SSH]\nPort=2222\n", []string{"--print-config", "FILE"}, 0,
			[]string{"Destination", "example.com", "Port", "2222", "t.tunnel:5", "LocalForward", "1234 localhost:1", "RetryMax", "1min", "ServerAliveInterval", "10", "Holdfast's default", "transport: native", "--all shows them"}, nil},
		{"print-config --all", good, []string{"--print-config", "--all", "FILE"}, 0, []string{"VisualHostKey", "not about tunnels"}, nil},
		{"print-config --json", good, []string{"--print-config", "--json", "FILE"}, 0, []string{`"keyword": "GateTime"`, `"hops": []`}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t, c.text)
			for i, a := range c.args {
				c.args[i] = strings.Replace(a, "FILE", p.Path, 1)
			}
			cmd := p.command(nil, c.args...)
			out, _ := cmd.Output()
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d, want %d", got, c.status)
			}
			if c.status == 0 && p.Log() != "" {
				t.Errorf("stderr: %s", p.Log())
			}
			for _, want := range c.out {
				if !strings.Contains(string(out), want) {
					t.Errorf("stdout lacks %q:\n%s", want, out)
				}
			}
			for _, want := range c.err {
				if !strings.Contains(p.Log(), want) {
					t.Errorf("stderr lacks %q:\n%s", want, p.Log())
				}
			}
		})
	}
}

func TestServes(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	addr, line := local(t, testbed.Echo(t, "tcp", "127.0.0.1:0").String())
	p := newProgram(t, fileFor(s, line))
	p.Start()
	r := p.UntilState(tunnelfile.Up)
	if !strings.HasPrefix(r.Status, "1 forward") || r.UpSince.IsZero() || r.Peer != s.Addr || r.HostKey == "" || r.Transport != tunnelfile.TransportNative {
		t.Errorf("report: %+v", r)
	}
	testbed.CheckEcho(t, dial(t, addr), 4<<20, time.Minute)
	r = p.Until("counted", func(r tunnelfile.Report) bool { return r.ChannelsTotal == 1 && r.BytesReceived == 4<<20 })
	if r.RTT <= 0 {
		t.Error("the round trip is not known")
	}
	if status, body, err := p.get("/metrics"); err != nil || status != 200 || !strings.HasSuffix(body, "# EOF\n") ||
		!strings.Contains(body, `holdfast_state{tunnel="t",holdfast_state="up"} 1`) || !strings.Contains(body, "holdfast_received_bytes_total") {
		t.Errorf("metrics: %d, %v\n%s", status, err, body)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body, err := p.get(path); err != nil || status != 200 {
			t.Errorf("%s: %d %s %v", path, status, body, err)
		}
	}
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
	if left, _ := filepath.Glob(filepath.Join(p.Runtime, "holdfast", "*.sock")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExitStatuses(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	dir := t.TempDir()
	stranger := testbed.NewKey(t, filepath.Join(dir, "stranger"), "ed25519", "")
	other := testbed.StartServer(t, testbed.ServerOptions{})
	for _, c := range []struct {
		what   string
		text   string
		once   bool
		status int
		says   string
	}{
		{"wrong key", fileFor(s, "SSH:IdentityFile="+stranger.File, "SSH:IdentityAgent=none"), false, 77, ""},
		{"unknown host", fileFor(s, "SSH:UserKnownHostsFile=/dev/null"), false, 76, ""},
		{"another host's key", fileFor(s, "SSH:HostKeyAlias=["+other.Host+"]:"+itoa(other.Port), "SSH:UserKnownHostsFile="+other.KnownHosts), false, 76, ""},
		{"what ssh does not know", fileFor(s, "SSH:Ciphers=none-such"), false, 78, "Ciphers"},
		{"refused, once", strings.Replace(fileFor(s), "Port="+itoa(s.Port), "Port="+itoa(testbed.FreePort(t)), 1), true, 75, "refused"},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := newProgram(t, c.text)
			args := []string{p.Path}
			if c.once {
				args = []string{"--once", p.Path}
			}
			p.StartCommand(p.command(nil, args...))
			p.Ends(c.status)
			if !strings.Contains(p.Log(), c.says) {
				t.Errorf("does not say %q:\n%s", c.says, p.Log())
			}
		})
	}
}

func TestOnceEndsWithTheConnection(t *testing.T) {
	s := testbed.StartServer(t, testbed.ServerOptions{})
	p := newProgram(t, fileFor(s))
	p.StartCommand(p.command(nil, "--once", p.Path))
	p.UntilState(tunnelfile.Up)
	s.KillSessions(syscall.SIGKILL)
	p.Ends(75)
}

func TestLogHasNoTimesInTheJournal(t *testing.T) {
	for _, journal := range []bool{true, false} {
		if _, err := os.Stat("/run/systemd/journal/socket"); err == nil && journal {
			continue // this machine's journal gets it
		}
		stream, err := os.Create(filepath.Join(t.TempDir(), "stream"))
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		info, err := stream.Stat()
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		inode := stat.Ino
		if !journal {
			inode++ // the journal's stream is another one
		}
		p := newProgram(t, "[Tunnel]\nDestination=127.0.0.1\n[SSH]\nPort=1\n")
		cmd := p.command([]string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, inode)}, "--once", p.Path)
		cmd.Stderr = stream
		cmd.Run()
		log, err := os.ReadFile(stream.Name())
		if err != nil {
			t.Fatal(err)
		}
		if timed := strings.Contains(string(log), "time="); timed == journal || !strings.Contains(string(log), "tunnel=t") {
			t.Errorf("journal %v: logged\n%s", journal, log)
		}
	}
}
