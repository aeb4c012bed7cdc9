package tunnelfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInForce: where each value stands, drop-ins and a written default included.
func TestInForce(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"web.tunnel": "[Tunnel]\nDestination=host\nGateTime=30s\nRetryMax=5s\nLocalForward=1 h:1\nOnlyOn=a\n\nMetered=true\nMaxHeld=7\nTags=x y\n",
		"web.tunnel.d/10.conf": "[Tunnel]\nRetryMax=9s\nLocalForward=\nLocalForward=2 h:2\nMaxHeld=\n" +
			"NeverOn=b c\n",
		"web.tunnel.d/20.conf": "\n[Tunnel]\nLocalForward=3 h:3\nOnlyOn=d\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tunnel, err := Dirs{dir}.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range tunnel.InForce() {
		place := "default"
		if s.Path != "" {
			place = fmt.Sprintf("%s:%d", filepath.Base(s.Path), s.Line)
		}
		got = append(got, s.Key+"="+s.Value+" "+place)
	}
	want := []string{
		"Description=host default", "Destination=host web.tunnel:2", "LocalForward=2 h:2 10.conf:4", "LocalForward=3 h:3 20.conf:3",
		"Start=auto default", "IdleTimeout=10s default", "HoldTimeout=30s default", "MaxHeld=256 default", "AllowUsers=any default",
		"Connections=1 default", "Tags=x y web.tunnel:10", "GateTime=30s web.tunnel:3", "RetryMax=9s 10.conf:2", "Transport=auto default", "Check=none default",
		"MaxChannels=by LimitNOFILE default", "RetryDenied=never default", "NoDelay=no default",
		"Metered=yes web.tunnel:8", "OnlyOn=a web.tunnel:6", "OnlyOn=d 20.conf:4", "NeverOn=b c 10.conf:6",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
