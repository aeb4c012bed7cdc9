package sshlink

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

func TestConfigLines(t *testing.T) {
	dir := t.TempDir()
	login{files: map[string]string{"a.conf": "Port 2\nInclude b.conf\n", "b.conf": "\tPort=3\n", "loop": "Include loop\n"},
		config: "# mine\nHost x\nInclude *.conf nothing\n LocalForward 1 a:1 \n"}.write(t, dir)
	var got []string
	for line := range configLines(filepath.Join(dir, "config"), dir, includeDepth) {
		got = append(got, fmt.Sprintf("%d %s:%d %s %s", line.Depth, filepath.Base(line.Path), line.Line, line.Keyword, line.Value))
	}
	want := []string{
		"0 config:2 host x", "0 config:3 include *.conf nothing", "1 a.conf:1 port 2", "1 a.conf:2 include b.conf", "2 b.conf:1 port 3",
		"1 b.conf:1 port 3", "0 config:4 localforward 1 a:1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	loops := 0
	for range ConfigLines(filepath.Join(dir, "loop")) {
		loops++
	}
	if loops != includeDepth {
		t.Errorf("a file that includes itself is read %d times", loops)
	}
}

// What Holdfast adds of its own is what nobody wrote, and ssh by itself would not have.
func TestUnderneath(t *testing.T) {
	testbed.Need(t, "ssh")
	for _, c := range []struct {
		config  string
		section []string
		want    []string
		shares  bool
	}{
		{"", nil, []string{"ServerAliveInterval", "ExitOnForwardFailure", "StreamLocalBindUnlink", "ConnectTimeout"}, false},
		{"Host host\n ServerAliveInterval 0\n ControlMaster auto\n", []string{"ConnectTimeout=3"}, []string{"ExitOnForwardFailure", "StreamLocalBindUnlink"}, true},
	} {
		r, err := resolveWith(t, c.config, c.section...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range r.Underneath() {
			got = append(got, s.Key)
		}
		if !slices.Equal(got, c.want) || r.Shares() != c.shares {
			t.Errorf("%q %q: %v, shares: %v", c.config, c.section, got, r.Shares())
		}
	}
}
