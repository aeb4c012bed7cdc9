package tunnelfile

import (
	"slices"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	for _, test := range []struct {
		name, text, section, key string
		values                   []string
		want                     string
	}{
		{
			"one value, all else stays",
			"# mine\n[Tunnel]\nDestination=h\n\n; how\nStart = auto   ; for now\n[SSH]\nPort=1\n", "Tunnel", "Start", []string{"manual"},
			"# mine\n[Tunnel]\nDestination=h\n\n; how\nStart = manual ; for now\n[SSH]\nPort=1\n",
		},
		{
			"the comment stays in its column",
			"[Tunnel]\nStart=auto          ; x\n", "Tunnel", "Start", []string{"on-demand"},
			"[Tunnel]\nStart=on-demand     ; x\n",
		},
		{
			"a new key stands with its section",
			"[Tunnel]\nDestination=h\n\n# about ssh\n[SSH]\nPort=1\n", "Tunnel", "Start", []string{"manual"},
			"[Tunnel]\nDestination=h\nStart=manual\n\n# about ssh\n[SSH]\nPort=1\n",
		},
		{
			"a new key in an empty section",
			"[Tunnel]\n\n[SSH]\nPort=1\n", "Tunnel", "Start", []string{"manual"},
			"[Tunnel]\nStart=manual\n\n[SSH]\nPort=1\n",
		},
		{
			"a section in two parts",
			"[Tunnel]\nA=1\n[SSH]\n[Tunnel]\nB=2\n[Unit]\n", "Tunnel", "C", []string{"3"},
			"[Tunnel]\nA=1\n[SSH]\n[Tunnel]\nB=2\nC=3\n[Unit]\n",
		},
		{
			"a new section",
			"[Tunnel]\nDestination=h", "SSH", "Port", []string{"22"},
			"[Tunnel]\nDestination=h\n\n[SSH]\nPort=22\n",
		},
		{"an empty file", "", "Tunnel", "Destination", []string{"h"}, "[Tunnel]\nDestination=h\n"},
		{
			"several values: more than before",
			"[Tunnel]\nLocalForward=1:a:1\nStart=auto\nLocalForward=2:a:2 ; two\n\n[SSH]\n", "Tunnel", "LocalForward", []string{"1:b:1", "2:b:2", "3:b:3"},
			"[Tunnel]\nLocalForward=1:b:1\nStart=auto\nLocalForward=2:b:2 ; two\nLocalForward=3:b:3\n\n[SSH]\n",
		},
		{
			"several values: fewer than before",
			"[Tunnel]\nLocalForward=1:a:1\n# two\nLocalForward=2:a:2\nStart=auto\n", "Tunnel", "LocalForward", []string{"1:b:1"},
			"[Tunnel]\nLocalForward=1:b:1\n# two\nStart=auto\n",
		},
		{
			"no values",
			"[Tunnel]\nDestination=h\nStart=auto\n", "Tunnel", "Start", nil,
			"[Tunnel]\nDestination=h\n",
		},
		{"no values of a section that is not there", "[Tunnel]\n", "SSH", "Port", nil, "[Tunnel]\n"},
		{
			"a continuation becomes one line",
			"[Tunnel]\nOnlyOn=a \\\n  # no\n  b\nStart=auto\n", "Tunnel", "OnlyOn", []string{"c"},
			"[Tunnel]\nOnlyOn=c\nStart=auto\n",
		},
		{
			"the = comes after a continuation",
			"[Tunnel]\nOnlyOn \\\n=a\n", "Tunnel", "OnlyOn", []string{"c"},
			"[Tunnel]\nOnlyOn=c\n",
		},
		{
			"CRLF and byte order mark",
			"\uFEFF[Tunnel]\r\nStart=auto\r\n", "Tunnel", "Destination", []string{"h"},
			"\uFEFF[Tunnel]\r\nStart=auto\r\nDestination=h\r\n",
		},
		{
			"another key that begins alike, and in another section",
			"[Tunnel]\nDestination=h\n[Unit]\nDescription=u\n[Tunnel]\n", "Tunnel", "Description", []string{"d"},
			"[Tunnel]\nDestination=h\n[Unit]\nDescription=u\n[Tunnel]\nDescription=d\n",
		},
		{
			"ssh's letter case",
			"[SSH]\nserveraliveinterval=1\n", "SSH", "ServerAliveInterval", []string{"3"},
			"[SSH]\nserveraliveinterval=3\n",
		},
		{
			"ssh's older name",
			"[SSH]\nKeepAlive=yes\n", "SSH", "TCPKeepAlive", []string{"no"},
			"[SSH]\nKeepAlive=no\n",
		},
		{
			"a last line without an ending, which then is not the last",
			"[Tunnel]\nStart=auto", "Tunnel", "Destination", []string{"h"},
			"[Tunnel]\nStart=auto\nDestination=h\n",
		},
		{
			"a last line without an ending, which stays the last",
			"[Tunnel]\nStart=auto", "Tunnel", "Start", []string{"manual"},
			"[Tunnel]\nStart=manual",
		},
		{
			"what is wrong elsewhere stays",
			"nonsense\n[Tunel]\n[Tunnel]\nStart=auto\n", "Tunnel", "Start", []string{"manual"},
			"nonsense\n[Tunel]\n[Tunnel]\nStart=manual\n",
		},
		{
			"a quoted semicolon, and one that is systemd's",
			"[Tunnel]\n[Service]\nExecStartPre=/bin/a ; /bin/b\n", "Service", "ExecStartPre", []string{"/bin/c ; /bin/d"},
			"[Tunnel]\n[Service]\nExecStartPre=/bin/c ; /bin/d\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Set(test.text, test.section, test.key, test.values)
			if err != nil || got != test.want {
				t.Errorf("got\n%s\nwant\n%s\n%v", got, test.want, err)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, test := range []struct{ section, key, value, why string }{
		{"Tunel", "Start", "auto", "did you mean Tunnel?"},
		{"Tunnel", "", "auto", "is not a key"},
		{"Tunnel", "A=B", "auto", "is not a key"},
		{"Tunnel", "[SSH]", "auto", "is not a key"},
		{"Tunnel", "# A", "auto", "is not a key"},
		{"Tunnel", "A\nB", "auto", "is not a key"},
		{"Tunnel", "Description", "a\nDestination=evil", "control character"},
		{"Tunnel", "Description", "a\x00", "control character"},
		{"Tunnel", "Description", "\xff", "UTF-8"},
		{"Tunnel", "Description", `a\`, "read back"},
		{"Tunnel", "OnlyOn", "a ; b", "needs quotes"},
	} {
		got, err := Set("[Tunnel]\nDestination=h\n", test.section, test.key, []string{test.value})
		if err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("[%s] %s=%q: %q, %v, want something about %q", test.section, test.key, test.value, got, err, test.why)
		}
	}
	if _, err := Set(strings.Repeat("x", MaxFileSize+1), "Tunnel", "Start", []string{"auto"}); err == nil {
		t.Error("a file that is too long is taken")
	}
}

func TestAdd(t *testing.T) {
	text := "[Tunnel]\nDestination=h\nDynamicForward=1 ; mine\n"
	got, err := Add(text, SectionTunnel, "DynamicForward", "2")
	if want := text + "DynamicForward=2\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestAssignments(t *testing.T) {
	got, problems := Assignments("[Unit]\nAfter=a \\\n  b\n# c\nnonsense\n[X]\nKey =\n")
	want := []Assignment{{"Unit", "After", "a    b", 2}, {"X", "Key", "", 7}}
	if !slices.Equal(got, want) || len(problems) != 1 || problems[0].Line != 5 {
		t.Errorf("%v, %v", got, problems)
	}
}
