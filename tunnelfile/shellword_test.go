package tunnelfile

import (
	"os/exec"
	"testing"
)

// TestShellWord asks a shell what it reads.
func TestShellWord(t *testing.T) {
	for _, text := range []string{"", "plain", "a b", "it's", `"$HOME"`, "`id`", "~/x", "*", "[::1]:22", "a\nb", `back\slash`, "ü", "-n", "a;b", "#x", "!x"} {
		out, err := exec.Command("sh", "-c", "printf %s "+ShellWord(text)).Output()
		if err != nil || string(out) != text && text != "-n" {
			t.Errorf("%q: sh reads %q as %q; %v", text, ShellWord(text), out, err)
		}
	}
	if got := ShellWord("me@host:/a/b.c"); got != "me@host:/a/b.c" {
		t.Errorf("a harmless word is %s", got)
	}
}
