package portable

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/tunnelfile"
)

// fuzz holds, of a text of one format, that what is found can be written, and that no line that
// mentions ssh is passed over in silence.
func fuzz(f *testing.F, path string, seeds ...string) {
	for _, file := range ofPeople(f) {
		if sameFormat(file.path, path) {
			f.Add(file.text())
		}
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := Machine{Home: "/h", Config: "/h/.config"}.FromText(path, text)
		for _, f := range r.Found {
			if _, problems := tunnelfile.Parse(f.Name, "", f.Text); !tunnelfile.ValidName(f.Name) || len(problems) > 0 && !f.AsIs {
				t.Errorf("%q makes %q:\n%s\n%v", text, f.Name, f.Text, problems)
			}
		}
		if mentions(withoutComments(text)) && len(r.Found)+len(r.Problems)+len(r.NotTunnels) == 0 {
			t.Errorf("%q: nothing is said", text)
		}
	})
}

// sameFormat says whether the file at one path is of the format of the other.
func sameFormat(a, b string) bool {
	return isForeign(a, "") == isForeign(b, "") && strings.Contains(a, "cron") == strings.Contains(b, "cron") &&
		strings.HasSuffix(a, ".service") == strings.HasSuffix(b, ".service") && strings.HasSuffix(a, "config") == strings.HasSuffix(b, "config")
}

func FuzzText(f *testing.F) {
	seeds := []string{
		classic, "Host a\nLocalForward 1 a:1\n",
		"#!/bin/sh\nA=${B:-c}; ssh -N $(x) `y` <<-E >&2 \"$A\nE\n",
		"#!/bin/sh\n$&00\x8a",
		"#!/bin/zsh\nssh -N ${(f)A} ${${A}} ${A:h2} ${+A} ${=A} ${} $#A",
		"#!/bin/mksh\nA=1; ssh -N ${%A} ${A@#} ${|a;} ${A:1:2} ${A^^} ${A/#1/2} ${A[1]:-x}",
		"A[1]+=x; declare -A B=([a]=b) C+=d; ssh -N !(a) {1,2} $((A++)) ${A:=${B:?$1}} ~root/x <(y) $'\\xff'",
	}
	for _, text := range tunnels {
		exported, _ := Export(tunnelOf(text), SSH, around)
		seeds = append(seeds, exported)
	}
	fuzz(f, StandardInput, seeds...)
}

func FuzzScript(f *testing.F) {
	fuzz(f, "/d/x.sh", "eval \"$(which ssh) -N\"; alias a='ssh -ND 1 h'; A=ssh; $A $A")
}
func FuzzInit(f *testing.F) { fuzz(f, "/etc/init.d/x", "DAEMON=ssh\nDAEMON_ARGS='-ND 1 h'\n") }
func FuzzCrontab(f *testing.F) {
	fuzz(f, "/etc/crontab", "@reboot a ssh -ND 1 h%x\n-*/5 * * jan * a\tssh\nA = 'b'\n")
}
func FuzzForeign(f *testing.F) { fuzz(f, "/d/x.yml", "a: [\n\"ssh\", '-N'\n]\n- ssh\n- \"\\\"\"\n") }
func FuzzDesktop(f *testing.F) { fuzz(f, "/h/.config/autostart/x.desktop", "Exec=ssh -ND 1 h %u\n") }
func FuzzUnit(f *testing.F) {
	fuzz(f, "/d/x.service", classic, "[Service]\nExecStart=@-ssh ssh -ND 1 %i ; ssh $A ${B}\nEnvironment=A='b\n")
}
func FuzzSSHConfig(f *testing.F) {
	fuzz(f, "/d/config", "Host=\"a\" !b # c\nMatch host a,b exec \"x y\"\nDynamicForward 1 #\nInclude x\n")
}
