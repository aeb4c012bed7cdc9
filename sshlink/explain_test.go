package sshlink

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

func TestExplain(t *testing.T) {
	testbed.Need(t, "ssh")
	dir := t.TempDir()
	inc, config := filepath.Join(dir, "inc"), filepath.Join(dir, "config")
	write(t, inc, "Host host\n IdentityFile ~/b\nMatch all\n ServerAliveCountMax 7\n")
	write(t, config, `Host other
 Port 1
Host host
 Port 2222
 IdentityFile ~/a
Match host nope
 User v
 Include `+inc+`
Match host host exec "true"
 User u
Include=`+inc+`
Host *
 Ciphers aes128-ctr
 port 99
Match final all
 MACs hmac-sha2-256
 LogLevel=VERBOSE
`)
	r, err := Resolve(t.Context(), Config{Destination: "host", ConfigFile: config, Settings: settings("ConnectTimeout=5", "IdentityFile=~/first")})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	for _, e := range r.Explain(t.Context()) {
		got[e.Keyword] = append(got[e.Keyword], e.Value+" from "+strings.TrimPrefix(e.Source, dir+"/"))
	}
	for keyword, want := range map[string][]string{
		"ConnectTimeout":      {"5 from test.tunnel:1"},
		"Port":                {"2222 from config:4"},
		"User":                {"u from config:10"},
		"IdentityFile":        {"~/first from test.tunnel:2", "~/a from config:5", "~/b from inc:2"},
		"Ciphers":             {"aes128-ctr from config:13"},
		"MACs":                {"hmac-sha2-256 from config:16"},
		"LogLevel":            {"VERBOSE from config:17"},
		"ServerAliveCountMax": {"7 from inc:4"},
		"ServerAliveInterval": {"10 from Holdfast's default"},
		"HostName":            {"host from the destination"},
		"AddressFamily":       {"any from ssh's default"},
	} {
		if strings.Join(got[keyword], ", ") != strings.Join(want, ", ") {
			t.Errorf("%s: %q, want %q", keyword, got[keyword], want)
		}
	}
}
