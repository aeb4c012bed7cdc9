package config

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/testbed"
)

func TestLines(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.conf": "Port 2\nInclude b.conf\nHost y\n", "b.conf": "\tPort=3\n", ".c.conf": "Port 4\n", "loop": "Include loop\n",
		"config": "# mine\nHost x\nInclude *.conf nothing\n LocalForward 1 a:1 # one\n",
	})
	var got []string
	for line := range Lines(filepath.Join(dir, "config"), dir) {
		under := ""
		for _, u := range line.Under {
			under += " < " + u.Value
		}
		got = append(got, fmt.Sprintf("%d %s:%d %s %s%s", line.Depth, filepath.Base(line.Path), line.Line, line.Keyword, line.Value, under))
	}
	want := []string{
		"0 config:2 host x", "0 config:3 include *.conf nothing < x", "1 a.conf:1 port 2 < x", "1 a.conf:2 include b.conf < x", "2 b.conf:1 port 3 < x",
		"1 a.conf:3 host y < x", "1 b.conf:1 port 3 < x", "0 config:4 localforward 1 a:1 < x",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	loops := 0
	for range Lines(filepath.Join(dir, "loop"), dir) {
		loops++
	}
	if loops != includeDepth {
		t.Errorf("a file that includes itself is read %d times", loops)
	}
}

// TestAsSSH holds what is read here against ssh -G.
func TestAsSSH(t *testing.T) {
	testbed.Need(t, "ssh")
	for _, text := range []string{
		"Host work\n LocalForward 1 a:1\nHost *\n DynamicForward 9\n",
		"LocalForward 1 a:1\nHost work other\nLocalForward=2 a:2\nhost=work\nLOCALFORWARD\t3\ta:3  \f\nHost !work *\nLocalForward 4 a:4\n",
		"Host=work\nUser = me\nPort= 7\n LocalForward  =  1 a:1\r\n\"Host\" other\nPort 8\n  DynamicForward 1\n",
		"Host \"work\" 'oth er'\n LocalForward \"1\" \"a:1\"\n LocalForward 2 'a:2'\n User \"a b\" \n",
		"Host work # other\n LocalForward 1 a:1 # 2 a:2\n DynamicForward 3 #4\n#DynamicForward 5\n   # DynamicForward 6\n",
		"Host w?rk\n DynamicForward 1\nHost *or*\n DynamicForward 2\nHost [w]ork\n DynamicForward 3\nHost work,other\n DynamicForward 4\nHost WORK\n DynamicForward 5\n",
		"Host other !work\n DynamicForward 1\nHost work !w*\n DynamicForward 2\nHost * !x\n DynamicForward 3\n",
		"Match host work\n DynamicForward 1\nMatch originalhost work,other\n DynamicForward 2\nMatch !host work\n DynamicForward 3\nMatch all\n DynamicForward 4\nMatch host=WORK # x\n DynamicForward 5\n",
		"Host work\n HostName %h.example\nMatch host work\n DynamicForward 1\nMatch host work.example\n DynamicForward 2\nMatch originalhost work host *.example,!no\n DynamicForward 3\nMatch host x exec false\n DynamicForward 4\n",
		"Host work\n Include inc/*\n DynamicForward 1\nHost other\n Include \"inc/b\" inc/none\n DynamicForward 2\nInclude inc/b\n",
		"Include inc/c inc/d\nDynamicForward 1\nHost *\nInclude inc/d\n",
		"Host work\n User me\\\n Port 5\n DynamicForward 1\n\n\nHost\twork\tother\n\tDynamicForward\t2\n",
		"Host work\n ProxyCommand nc # %h\n DynamicForward 1\n RemoteForward 2 a:2\n RemoteForward 3\n",
	} {
		dir := filepath.Join(t.TempDir(), "h")
		write(t, dir, map[string]string{
			"inc/a": "DynamicForward 11\nHost other\n DynamicForward 12\n", "inc/b": "DynamicForward 13\nHost work\nDynamicForward 14\n",
			"inc/c": "Host other\nDynamicForward 15\n", "inc/d": "DynamicForward 16\nMatch host work\nDynamicForward 17\n", "inc/.e": "DynamicForward 18\n",
		})
		// ssh takes relative Include paths of a file of -F from ~/.ssh, which is not ours to write to.
		text := strings.ReplaceAll(text, "inc/", dir+"/inc/")
		write(t, dir, map[string]string{"config": text})
		for _, host := range []string{"work", "other", "third"} {
			out, err := exec.Command("ssh", "-G", "-F", filepath.Join(dir, "config"), host).CombinedOutput()
			if err != nil {
				t.Fatalf("%s\n%s", text, out)
			}
			lines, unsure := InForce(Lines(filepath.Join(dir, "config"), dir), host)
			if len(unsure) > 0 {
				t.Errorf("%s\n%s: unsure of %v", text, host, unsure)
			}
			got, want := ours(lines), theirs(string(out))
			if !slices.Equal(got, want) {
				t.Errorf("%s\n%s\nread %q\nssh  %q", text, host, got, want)
			}
		}
	}
}

// ours are the forwards, and a few more settings, as ssh -G prints them.
func ours(lines []Line) []string {
	var all []string
	seen := make(map[string]bool)
	for _, line := range lines {
		forward := strings.HasSuffix(line.Keyword, "forward")
		if line.Keyword == "proxycommand" {
			line.Words = []string{line.Value}
		}
		if forward || !seen[line.Keyword] {
			all = append(all, line.Keyword+" "+strings.Join(line.Words, " "))
		}
		seen[line.Keyword] = true
	}
	slices.Sort(all)
	all = slices.Compact(all) // to ssh too the same forward is one
	return slices.DeleteFunc(all, func(line string) bool { return strings.HasPrefix(line, "hostname ") })
}

func theirs(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch keyword {
		case "localforward", "dynamicforward", "remoteforward":
			all = append(all, keyword+" "+strings.TrimSuffix(strings.NewReplacer("[", "", "]", "").Replace(value), " socks:0"))
		case "user", "port", "proxycommand":
			if value != "22" && value != "root" && value != os.Getenv("USER") {
				all = append(all, keyword+" "+value)
			}
		}
	}
	slices.Sort(all)
	return all
}

// FuzzLines holds that a line is taken apart whatever is in it.
func FuzzLines(f *testing.F) {
	f.Add("Host = \"a\" b # c")
	f.Add("\"Port\"=2\f\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		for line := range Text("", text) {
			if line.Keyword == "" {
				t.Errorf("%q: a line without a keyword", text)
			}
		}
		InForce(Text("", text), "host")
	})
}
