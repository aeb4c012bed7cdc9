package sshlink

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
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
	r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: config, Settings: settings("ConnectTimeout=5", "IdentityFile=~/first")}, nil)
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

// TestExplainFiles: Include with a glob, nested; Match exec that says no; Match final; older
// names of keywords; a negated Host; forwards; what has no meaning here, or needs more.
func TestExplainFiles(t *testing.T) {
	testbed.Need(t, "ssh")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("10-a.conf"), "Host host\n Port 10\n Include "+path("deep.conf")+"\n")
	write(t, path("20-b.conf"), "Port 20\nLocalForward 2 h:2\n")
	write(t, path("deep.conf"), "User deep\n")
	write(t, path("config"), `Include `+path("[0-9]*.conf")+`
Match exec "false"
 HostName nowhere
Host * !host
 HostName nowhere
Host "host"
 LocalForward 1 h:1
 ChallengeResponseAuthentication=no
 PubkeyAcceptedKeyTypes +ssh-rsa
 ForwardX11 yes
 MACs umac-64@openssh.com,hmac-sha2-256
Match final host host
 RekeyLimit 1G 1h
`)
	r, err := Resolve(t.Context(), source{Destination: "host", ConfigFile: path("config"), Transport: tunnelfile.TransportNative}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	for _, e := range r.Explain(t.Context()) {
		text := e.Value + " from " + strings.TrimPrefix(e.Source, dir+"/")
		if e.Note != "" {
			text += " (" + e.Note + ")"
		}
		got[e.Keyword] = append(got[e.Keyword], text)
		if wrote := strings.HasPrefix(e.Source, dir) || strings.HasPrefix(e.Source, "/etc/ssh/") || e.Source == "the destination"; wrote != e.Written {
			t.Errorf("%s from %s: written %v", e.Keyword, e.Source, e.Written)
		}
	}
	for keyword, want := range map[string][]string{
		"Port":                         {"10 from 10-a.conf:2"},
		"User":                         {"deep from deep.conf:1"},
		"HostName":                     {"host from the destination"},
		"LocalForward":                 {"2 [h]:2 from 20-b.conf:2", "1 [h]:1 from config:7"},
		"KbdInteractiveAuthentication": {"no from config:8"},
		"ForwardX11":                   {"yes from config:10 (not about tunnels)"},
		"MACs":                         {"umac-64@openssh.com,hmac-sha2-256 from config:11 (the native transport does not have umac-64@openssh.com)"},
		"RekeyLimit":                   {"1073741824 3600 from config:13 (the amount is kept, the time needs the openssh transport)"},
	} {
		if strings.Join(got[keyword], ", ") != strings.Join(want, ", ") {
			t.Errorf("%s: %q, want %q", keyword, got[keyword], want)
		}
	}
	if all := strings.Join(got["PubkeyAcceptedAlgorithms"], ""); !strings.HasSuffix(all, " from config:9") {
		t.Errorf("PubkeyAcceptedAlgorithms: %s", all)
	}
}

// TestExplainSaysWhatIsOff: what the openssh transport leaves out, although it is written.
func TestExplainSaysWhatIsOff(t *testing.T) {
	testbed.Need(t, "ssh")
	r, err := Resolve(t.Context(), source{
		Destination: "host", ConfigFile: "none", Transport: tunnelfile.TransportOpenSSH,
		Settings: settings("ForwardAgent=yes", "UpdateHostKeys=yes", "ForwardX11=no"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Explain(t.Context()) {
		off := e.Keyword == "ForwardAgent" || e.Keyword == "UpdateHostKeys"
		if said := strings.HasPrefix(e.Note, "off here: "); said != off {
			t.Errorf("%s %s: %q", e.Keyword, e.Value, e.Note)
		}
	}
}

// TestExplainSaysWhatNeedsSSH: what only ssh itself keeps is said over the native transport, takes
// auto to openssh, and has no note there.
func TestExplainSaysWhatNeedsSSH(t *testing.T) {
	testbed.Need(t, "ssh")
	notes := func(transport tunnelfile.Transport) map[string]string {
		r, err := Resolve(t.Context(), source{
			Destination: "host", ConfigFile: "none", Transport: transport,
			Settings: settings("CheckHostIP=yes", "HostbasedAcceptedAlgorithms=ssh-ed25519", "GSSAPITrustDns=no", "LocalCommand=true"),
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		notes := map[string]string{"transport": string(r.Transport)}
		for _, e := range r.Explain(t.Context()) {
			notes[e.Keyword] = e.Note
		}
		return notes
	}
	for transport, note := range map[tunnelfile.Transport]string{
		tunnelfile.TransportNative: string(tunnelfile.OnlyOpenSSH), tunnelfile.TransportAuto: "",
	} {
		got := notes(transport)
		if got["CheckHostIP"] != note || got["HostbasedAcceptedAlgorithms"] != note || got["GSSAPITrustDns"] != "" || !strings.HasPrefix(got["LocalCommand"], "never run: ") {
			t.Errorf("%s: %q", transport, got)
		}
		if transport == tunnelfile.TransportAuto && got["transport"] != string(tunnelfile.TransportOpenSSH) {
			t.Errorf("auto takes %s", got["transport"])
		}
	}
}
