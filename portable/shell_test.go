package portable

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"

	"github.com/holdfast/holdfast/portable/shell"
)

// TestShell has commands wherever a shell's language lets them stand.
func TestShell(t *testing.T) {
	for _, test := range []struct {
		text     string
		want     []string
		problems []string // ???: what it stands for is not known here
	}{
		// Where a command stands.
		{"case $1 in up) ssh -ND 1 h;; *) ssh -ND 2 h;; esac", []string{"h h manual 1", "h h manual 2"}, nil},
		{"(P=1; ssh -ND $P h) && { ssh -ND 2 h & } || ! ssh -ND 3 h | cat", []string{"h h manual 1", "h h manual 2", "h h manual 3"}, nil},
		{"if ! out=$(ssh -fND 1 h 2>&1); then echo \"$out\"; fi\ncat <<E\n`ssh -ND 2 h`\nE\n", []string{"h h manual 1", "h h manual 2"}, nil},
		{"until time command ssh -ND 1 h; do sleep 1; done; coproc exec ssh -ND 2 h", []string{"h h manual 1", "h h manual 2"}, nil},
		{"f() { ssh -ND 1 h; }\nfunction g { ssh -ND $1 h; }\ng 2", []string{"h h manual 1"}, []string{"x:2: $1: ???"}},
		{"echo 'a\nssh -ND 1 h\nb'; cat <<-'E' | ssh -ND 2 h >$LOG\n\tssh -ND 3 h\n\tE\n", []string{"h h manual 2"}, []string{"x:4: mentions ssh, and what runs there cannot be told; " + addInstead}},
		{"ssh -N \\\n -D 'x\ny' h\r\nssh -ND 1 h\r\n", []string{"h h manual 1"}, []string{"x:1: -D x\ny: \"x\\ny\" is not a port"}},

		// What words are.
		{"A=; ssh -N$A \"-L\"$'1:a:\\x31' \\h", []string{"h h manual 1 a:1"}, nil},
		{"ssh -N -L1{,0}:a:1 -L *:2:a:2 h", []string{"h h manual 1 a:1 10 a:1 *:2 a:2"}, nil},
		{": ${P:=80}; H=h.example; O=-N; O+=' -v'\nssh $O -D ${P:-$1} ${H%%.*}", []string{"h h manual 80"}, nil},
		{"#!/bin/sh\nexport H=h P=$(cat p); ssh -ND 1 $H; ssh -ND $P h", []string{"h h manual 1"}, []string{"x:2: $P: ???"}},
		{"declare -r P=1 Q; ssh -ND $P h; read -r P Q; ssh -ND $P h", []string{"h h manual 1"}, []string{"x:1: $P: ???"}},
		{"ssh -ND $(cat\n p) h; ssh -ND `cat p` h; ssh -ND $((1 + 1)) h; ssh -ND \"${1:?which}\" h; ssh -F <(cat c) -ND 1 h", nil, []string{
			"x:1: $(cat…: ???", "x:2: `cat p`: ???", "x:2: $((1 + 1)): ???", "x:2: ${1:?which}: ???", "x:2: <(cat c): ???",
		}},
		{"A=(1 2); B[0]=1; ssh -ND $A h; ssh -ND $B h; C=x; ssh -ND ${C@Q} h; ssh -ND ${!C} h; ssh -ND ${C:0:1} h; ssh -ND 1 ${1:-\"a b\"} h", nil, []string{
			"x:1: $A: ???", "x:1: $B: ???", "x:1: ${C@Q}: ???", "x:1: ${!C}: ???", "x:1: ${C:0:1}: ???", "x:1: ${1:-\"a b\"}: ???",
		}},
		{"A=0123456789" + strings.Repeat("; A=$A$A", 60) + "; ssh -ND 1 -o SetEnv=A=$A h", nil, []string{"x:1: $A: ???"}},
		{"sh -c 'ssh -ND $0 $1; shift; ssh -ND 1 $1' 7 h", []string{"h h manual 7"}, []string{"x:1: $1: ???"}},

		{"ssh -i $1 -ND 1 h; $1 ssh -ND 2 h; ssh $1 -ND 3 h; ssh $1 h -ND 4", nil, []string{"x:1: $1: ???"}},

		// What no shell reads.
		{"ssh -ND 1 h\nif ssh -ND 2 h\n", []string{"h h manual 1"}, []string{"x:2: syntax error: `if <cond>` must be followed by `then`"}},
		{"#!/bin/sh\nssh -ND 1 h\nA=(1)", []string{"h h manual 1"}, []string{"x:3: syntax error: arrays are a bash/mksh/zsh feature; tried parsing as posix"}},
		{"#!/usr/bin/env bash\nA=(1); ssh -ND 1 h", []string{"h h manual 1"}, nil},
		{"#!/bin/zsh\nssh -ND ${(f)A} h; ssh -ND ${${A}} h; ssh -ND 1 ${} h", nil, []string{"x:2: ${(f)A}: ???", "x:2: ${${A}}: ???", "x:2: ${}: ???"}},
		{"echo caf\xe9", nil, []string{"x:1: syntax error: invalid UTF-8 encoding"}},
		{"bash -c 'ssh -ND 1 h\n)'; bash -c ')'", []string{"h h manual 1"}, []string{"x:2: bash -c:2: syntax error: `)` can only be used to close a subshell"}},
		{"@daily true\n@daily (ssh -ND 1 h\n@daily ssh -ND 2 h\n", []string{"h h auto 2"}, []string{"x:2: syntax error: reached EOF without matching `(` with `)`"}},
	} {
		found, problems := both(machine(t).FromText("/dir/x", test.text))
		for i := range test.problems {
			test.problems[i] = strings.ReplaceAll(test.problems[i], "???", "what it stands for is not known here; holdfast add NAME and what follows ssh makes the tunnel")
		}
		compare(t, test.text, lines(t, found), test.want)
		compare(t, test.text, messages(problems), test.problems)
	}
}

// TestShellReadsAlike has a real shell run what is read here: ssh gets the same words.
func TestShellReadsAlike(t *testing.T) {
	testbed.Need(t, "bash", "sh")
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte("#!/bin/sh\nprintf '%s\\0' ssh \"$@\" >>\"$OUT\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	const both = `
ssh a 'b c' "d e" f\ g "h\i\$j\"" \
 k"l"'m'\n '' "" $E "$E" x$E
ssh $S "$S" x$S $S"y" ${S}z -o"$S"
ssh ~ ~/k a~ "~" ~/"k l" -i~/k
ssh ${E:-d} ${E-d} ${N-d} ${N:-"d"} ${N:-d e} "${N:-d e}" ${P:-$E} ${M:=m} $M ${P:?x}
ssh ${P%:*} ${P##*:} ${P%%.*} ${#P} "${P#*.}" ${P:+-i "$P"} ${E:+x}y
A=$S; B="$A"x; C=$B$A D=~/c; ssh "$A" "$B" $C "$D"
export D=d F="$S"; readonly G=g; ssh $D "$F" $G
X=1 ssh a; A=2 B=$A; ssh $B
if ssh if; then ssh then; fi; (ssh sub) && { ssh block; } && ssh and
case $P in h*) ssh case ;; esac
f() { ssh function; }; f
cat <<END >/dev/null; ssh behind
ssh within
END
ssh 2>&1 redirected </dev/null; ssh end # ssh comment
IFS=:; ssh $P "$P" $S
`
	const bash = `
ssh $'a\tb\x41' {x,y}z{1..3} "{a,b}" -L{1,2}:h
A=a; A+=b; ssh $A ${P/e/E} ${P//e} ${P^^}
declare B="$S" C=c; ssh "$B" $C
function g { ssh function; }; g
ssh <<<"$P" end
`
	vars := map[string]string{"HOME": "/home/me", "E": "", "S": " a  b ", "P": "h.example:22"}
	for program, text := range map[string]string{"sh": "#!/bin/sh" + both, "bash": "#!/bin/bash" + bash + both} {
		out := filepath.Join(t.TempDir(), "out")
		cmd := exec.Command(program, "-c", text)
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "OUT=" + out}
		for name, value := range vars {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if message, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", program, err, message)
		}
		ran, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		read := shell.Read(text, maps.Clone(vars))
		var words []string
		for _, c := range read.Commands {
			if c.Unknown != "" {
				t.Errorf("%s:%d: %s is not known", program, c.Line, c.Unknown)
			}
			if slices.Contains(c.Words, "ssh") {
				words = append(words, c.Words...)
			}
		}
		if want := strings.Split(strings.TrimSuffix(string(ran), "\x00"), "\x00"); read.Refused != nil || !slices.Equal(words, want) {
			t.Errorf("%s: %v\nread %q\nran  %q", program, read.Refused, words, want)
		}
	}
}
