package manager

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast/holdfast/netwatch"
)

func TestWay(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for server, want := range map[Server]Way{
		{Host: "localhost"}:      WayHere,
		{Host: "db.localhost"}:   WayHere,
		{Host: "127.0.0.1"}:      WayHere,
		{Host: "::1"}:            WayHere,
		{Host: name}:             WayHere,
		{Host: "nas.local"}:      WayOwn,
		{Host: "NAS.Local."}:     WayOwn,
		{Command: true}:          WayOwn,
		{Host: "server.invalid"}: WayOut,
		{Host: "local"}:          WayOut,
		{}:                       WayOut,
	} {
		if got := wayTo(t.Context(), server, netwatch.Portal); got != want {
			t.Errorf("%+v: %v, want %v", server, got, want)
		}
	}
}

func TestFromHostsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	text := "127.0.0.1 localhost\n# 192.0.2.1 nas\n192.0.2.7\tnas NAS.lan # the box in the cellar\nfd00::7 nas\nnonsense nas\n192.0.2.8\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"nas": "[192.0.2.7 fd00::7]", "nas.LAN": "[192.0.2.7]", "192.0.2.8": "[]", "cellar": "[]"} {
		if got := fmt.Sprint(fromHostsFile(path, host)); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
	if got := fromHostsFile(path+"x", "nas"); got != nil {
		t.Errorf("without a file: %v", got)
	}
}
