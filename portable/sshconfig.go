package portable

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

// hostBlock is what stands below one Host line.
type hostBlock struct {
	patterns string // of the Host line; of a Match line all of it
	alias    string // the first pattern that is one host; empty: there is none
	lines    []config.Line
	problem  tunnelfile.Problem
}

var forwardKinds = map[string]tunnelfile.ForwardKind{
	"localforward": tunnelfile.LocalForward, "remoteforward": tunnelfile.RemoteForward, "dynamicforward": tunnelfile.DynamicForward,
}

// forwards are the lines that are forwards.
func (b hostBlock) forwards() []config.Line {
	return slices.DeleteFunc(slices.Clone(b.lines), func(l config.Line) bool { return forwardKinds[l.Keyword] == "" })
}

// hostBlocks are the blocks of an ssh_config(5) file, in their order. What an included file says
// before a Host line of its own belongs to the block that includes it.
func hostBlocks(lines func(func(config.Line) bool)) []*hostBlock {
	var all []*hostBlock
	begin := func(patterns, alias string, at config.Line) *hostBlock {
		b := &hostBlock{patterns: patterns, alias: alias, problem: tunnelfile.Problem{Path: at.Path, Line: at.Line}}
		all = append(all, b)
		return b
	}
	type level struct {
		block *hostBlock
		path  string
	}
	var levels []level // a file in a file …
	for line := range lines {
		if len(levels) == 0 {
			levels = append(levels, level{begin("", "", line), line.Path})
		}
		levels = levels[:min(len(levels), line.Depth+1)]
		if line.Depth > 0 && (len(levels) <= line.Depth || levels[line.Depth].path != line.Path) {
			levels = append(levels[:line.Depth], level{levels[line.Depth-1].block, line.Path})
		}
		now := &levels[len(levels)-1]
		switch line.Keyword {
		case "host":
			alias := ""
			for word := range strings.FieldsSeq(line.Value) {
				if word = strings.Trim(word, `"`); alias == "" && !strings.ContainsAny(word, "*?!#%") {
					alias = word
				}
			}
			now.block = begin("Host "+line.Value, alias, line)
		case "match":
			now.block = begin("Match "+line.Value, "", line)
		default:
			now.block.lines = append(now.block.lines, line)
		}
	}
	return all
}

// FromSSHConfig finds the Host blocks with forwards in an ssh_config(5) file that ssh reads by
// itself. The tunnel only says where it goes: the forwards stay where they are.
func FromSSHConfig(file string) ([]Found, []tunnelfile.Problem) {
	return fromBlocks(hostBlocks(config.Lines(file)), func(f *Found, b *hostBlock) *tunnelfile.Problem {
		for _, line := range b.forwards() {
			f.Kept = append(f.Kept, fmt.Sprintf("%s %s (%s)", forwardKinds[line.Keyword], line.Value, placeOf(line.Path, line.Line)))
		}
		f.Todo = []string{fmt.Sprintf("ssh %s opens these forwards too: while the tunnel is up, ssh -o ClearAllForwardings=yes %s logs in without them", b.alias, b.alias)}
		return nil
	})
}

// fromConfigText finds Host blocks in a text that ssh does not read by itself: the tunnels have
// all that the blocks say.
func fromConfigText(file, text string) ([]Found, []tunnelfile.Problem) {
	return fromBlocks(hostBlocks(config.Text(file, text)), func(f *Found, b *hostBlock) *tunnelfile.Problem { return f.take(b.lines) })
}

// take writes what lines of ssh_config(5) say into the tunnel's file, behind what it says already.
func (f *Found) take(lines []config.Line) *tunnelfile.Problem {
	set := make(map[string]bool)
	before, _ := tunnelfile.Parse("", "", f.Text)
	for _, s := range before.SSH {
		set[s.Key] = true
	}
	user, _, port := tunnelfile.DestinationParts(before.Destination)
	set["User"], set["Port"] = set["User"] || user != "", set["Port"] || port != ""
	for _, line := range lines {
		section, key := tunnelfile.SectionSSH, ""
		if kind := forwardKinds[line.Keyword]; kind != "" {
			section, key = tunnelfile.SectionTunnel, string(kind)
		} else if spelled, ok := tunnelfile.SSHKeyword(line.Keyword); ok {
			key = spelled
		} else {
			f.Notes = append(f.Notes, fmt.Sprintf("%s %s: is not for a tunnel file", line.Keyword, line.Value))
			continue
		}
		if section == tunnelfile.SectionSSH && set[key] && !slices.Contains([]string{"CertificateFile", "IdentityFile", "SendEnv"}, key) {
			continue // to ssh the first counts
		}
		set[key] = true
		text, err := tunnelfile.Add(f.Text, section, key, line.Value)
		if err == nil {
			if _, problems := tunnelfile.Parse("", "", text); len(problems) > 0 {
				err = fmt.Errorf("%s %s", key, problems[0].Message)
			}
		}
		if err != nil {
			return &tunnelfile.Problem{Path: line.Path, Line: line.Line, Message: err.Error()}
		}
		f.Text = text
	}
	return nil
}

// takeFile writes what the file of ssh -F says of the tunnel's host into the tunnel's file.
func (f *Found) takeFile(file string) *tunnelfile.Problem {
	if _, err := os.Stat(file); err != nil {
		p := f.Problem(fmt.Sprintf("-F %s: %s", file, withoutPath(err)))
		return &p
	}
	t, _ := tunnelfile.Parse("", "", f.Text)
	_, host, _ := tunnelfile.DestinationParts(t.Destination)
	var lines []config.Line
	for _, b := range hostBlocks(config.Lines(file)) {
		switch {
		case b.patterns == "" || b.isOf(host):
			lines = append(lines, slices.DeleteFunc(b.lines, func(l config.Line) bool { return l.Keyword == "include" })...)
		case strings.HasPrefix(b.patterns, "Match ") && len(b.lines) > 0:
			f.Notes = append(f.Notes, fmt.Sprintf("%s (%s): whether it counts cannot be told here", b.patterns, placeOf(b.problem.Path, b.problem.Line)))
		}
	}
	f.Notes = append(f.Notes, fmt.Sprintf("-F %s: the tunnel file says what that says of %s, and ~/.ssh/config counts behind it", file, host))
	return f.take(lines)
}

// isOf says whether it is a Host block whose patterns match the host.
func (b *hostBlock) isOf(host string) bool {
	patterns, ok := strings.CutPrefix(b.patterns, "Host ")
	matched := false
	for word := range strings.FieldsSeq(patterns) {
		pattern, negated := strings.CutPrefix(strings.Trim(word, `"`), "!")
		is, _ := path.Match(strings.ReplaceAll(pattern, "[", `\[`), host) // ssh knows * and ? alone
		if is && negated {
			return false
		}
		matched = matched || is
	}
	return ok && matched
}

// fromBlocks makes a tunnel of each block with forwards, as fill has it.
func fromBlocks(blocks []*hostBlock, fill func(*Found, *hostBlock) *tunnelfile.Problem) (all []Found, problems []tunnelfile.Problem) {
	for _, b := range blocks {
		forwards := b.forwards()
		if len(forwards) == 0 {
			continue
		}
		complain := func(message string) {
			b.problem.Message = message
			problems = append(problems, b.problem)
		}
		if b.alias == "" {
			under := b.patterns
			b.problem.Path, b.problem.Line = forwards[0].Path, forwards[0].Line
			if under == "" {
				under = "no Host line"
			}
			complain(fmt.Sprintf("%s %s stands under %s: which host the tunnel goes to cannot be told", forwardKinds[forwards[0].Keyword], forwards[0].Value, under))
			continue
		}
		text, err := tunnelfile.FromSSHArguments([]string{b.alias})
		if err != nil {
			complain(err.Error())
			continue
		}
		f := Found{
			Name: ValidName(b.alias), Text: text, Places: []string{placeOf(b.problem.Path, b.problem.Line)}, problem: b.problem,
			Start: "nothing started it by itself",
		}
		if problem := fill(&f, b); problem != nil {
			problems = append(problems, *problem)
			continue
		}
		if f.Text, err = tunnelfile.Set(f.Text, tunnelfile.SectionTunnel, "Start", []string{string(tunnelfile.StartManual)}); err != nil {
			complain(err.Error())
			continue
		}
		all = append(all, f)
	}
	return all, problems
}
