package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// configFile is a file that ssh reads by itself, and the folder where its relative Includes start.
type configFile struct{ path, includes string }

// configFiles are the files that ssh reads without an Include.
func (s Source) configFiles() []configFile {
	home := filepath.Join(HomeDir(), ".ssh")
	switch s.ConfigFile {
	case "":
		return []configFile{{filepath.Join(home, "config"), home}, {"/etc/ssh/ssh_config", "/etc/ssh"}}
	case "none":
		return nil
	}
	return []configFile{{s.ConfigFile, home}}
}

// Stamp is a fingerprint of ssh's configuration: the files of ssh_config(5) with everything that
// they include for any host, their modes and owners, which ssh checks, the host's name, and the ssh
// program. It runs nothing.
func (s Source) Stamp() string {
	stamp, _ := s.stamp()
	return stamp
}

// stamp is Stamp. mayDiffer says whether ssh could answer differently while the stamp stays the
// same.
func (s Source) stamp() (stamp string, mayDiffer bool) {
	sum := sha256.New()
	if program, err := exec.LookPath("ssh"); err == nil {
		WriteState(sum, program)
	}
	host, _ := os.Hostname()
	fmt.Fprintf(sum, "%q\n", host)
	for _, first := range s.configFiles() {
		seen := func(path string, text []byte) {
			WriteOwner(sum, path)
			fmt.Fprintf(sum, "%x\n", sha256.Sum256(text))
		}
		for line := range linesOf(first.path, first.includes, seen) {
			switch line.Keyword {
			case "match":
				mayDiffer = mayDiffer || asksOutside(line.Value)
			case "include": // with a token, which only ssh can expand
				mayDiffer = mayDiffer || strings.Contains(line.Value, "%")
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), mayDiffer
}

// asksOutside says whether a Match line depends on more than files: on a command, or on the
// network.
func asksOutside(criteria string) bool {
	for _, word := range strings.FieldsFunc(strings.ToLower(criteria), func(r rune) bool { return strings.ContainsRune(" \t=\"", r) }) {
		if word = strings.TrimPrefix(word, "!"); word == "exec" || word == "localnetwork" {
			return true
		}
	}
	return false
}

// Changed says whether ssh's configuration has changed since this was resolved.
func (o *Options) Changed() bool { return o.Source.Stamp() != o.stamp }

// Outdated says whether ssh might answer differently for the destination by now: its configuration
// has changed, or the answer depends on more than files.
func (o *Options) Outdated() bool {
	stamp, mayDiffer := o.Source.stamp()
	if mayDiffer || stamp != o.stamp {
		return true
	}
	for hop := o; hop != nil; hop = hop.Jump {
		if v := hop.Option("canonicalizehostname"); v != "" && v != "no" && v != "false" {
			return true // a name server decides
		}
	}
	return false
}

// Equal says whether two resolutions have the same result.
func (o *Options) Equal(other *Options) bool {
	if o == nil || other == nil {
		return o == other
	}
	return o.Source.Destination == other.Source.Destination && o.Source.Transport == other.Source.Transport &&
		maps.EqualFunc(o.resolution.values, other.resolution.values, slices.Equal) && o.Jump.Equal(other.Jump)
}

// loginKeywords are the keywords of ssh_config(5) that name files which a login reads, each with
// the function that finds the files.
var loginKeywords = map[string]func(o *Options, keyword string) []string{
	"certificatefile":      (*Options).keyFiles,
	"controlpath":          (*Options).paths,
	"globalknownhostsfile": (*Options).Files,
	"identityagent":        (*Options).agent,
	"identityfile":         (*Options).keyFiles,
	"knownhostscommand":    (*Options).program,
	"pkcs11provider":       (*Options).paths,
	"proxycommand":         (*Options).program,
	"revokedhostkeys":      (*Options).paths,
	"securitykeyprovider":  (*Options).paths,
	"userknownhostsfile":   (*Options).Files,
}

// LoginFiles are all files that a login to this host depends on, besides those of ssh_config(5).
func (o *Options) LoginFiles() []string {
	var files []string
	for _, keyword := range slices.Sorted(maps.Keys(loginKeywords)) {
		files = append(files, loginKeywords[keyword](o, keyword)...)
	}
	return files
}

func (o *Options) paths(keyword string) []string {
	var paths []string
	for _, value := range o.Values(keyword) {
		paths = append(paths, o.Path(value))
	}
	return paths
}

// keyFiles are the paths, each followed by the files that ssh looks for beside it.
func (o *Options) keyFiles(keyword string) []string {
	var files []string
	for _, path := range o.paths(keyword) {
		files = append(files, path, path+".pub", path+"-cert", path+"-cert.pub")
	}
	return files
}

// AgentSocket is the socket of the agent that IdentityAgent or SSH_AUTH_SOCK names. There is none
// if the environment does not have it. chosen is false if only SSH_AUTH_SOCK names it.
func (o *Options) AgentSocket() (socket []string, chosen bool) {
	v := o.Written("identityagent")
	name := cmp.Or(v, "SSH_AUTH_SOCK")
	switch {
	case v == "none":
		return nil, true
	case strings.HasPrefix(v, "$") && !strings.HasPrefix(v, "${"):
		name = v[1:]
	case name != "SSH_AUTH_SOCK":
		return []string{o.Path(v)}, true
	}
	if path := os.Getenv(name); path != "" {
		socket = []string{path}
	}
	return socket, v != ""
}

func (o *Options) agent(string) []string {
	socket, _ := o.AgentSocket()
	return socket
}

// program is the path of the program of a command line.
func (o *Options) program(keyword string) []string {
	words := strings.Fields(strings.TrimPrefix(o.Option(keyword), "exec "))
	if len(words) == 0 {
		return nil
	}
	if path, err := exec.LookPath(o.Path(words[0])); err == nil {
		return []string{path}
	}
	return []string{o.Path(words[0])}
}

// Mentions says whether the person's or the system's ssh_config(5), or a file that they include,
// has a line with one of the keywords, for any host. If not, ssh need not be asked about the
// keywords.
func Mentions(keywords ...string) bool {
	return slices.ContainsFunc(Source{}.configFiles(), func(f configFile) bool { return f.mentions(keywords) })
}

func (f configFile) mentions(keywords []string) bool {
	for line := range Lines(f.path, f.includes) {
		switch {
		case slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, line.Keyword) }):
			return true
		case line.Keyword == "include" && strings.ContainsAny(line.Value, "$%"):
			return true // only ssh can find that file: it may have the line
		}
	}
	return false
}

// WriteState writes what changes when a file does: its time, size and owner. It does not read the
// file, and follows symbolic links. It writes nothing if there is no file.
func WriteState(w io.Writer, path string) {
	if info, err := os.Stat(path); err == nil {
		fmt.Fprintf(w, "%d %d ", info.ModTime().UnixNano(), info.Size())
		WriteOwner(w, path)
	}
}

// WriteOwner writes a file's path, inode, mode and owners.
func WriteOwner(w io.Writer, path string) {
	if info, err := os.Stat(path); err == nil {
		st := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(w, "%q %d %o %d %d\n", path, st.Ino, info.Mode(), st.Uid, st.Gid)
	}
}
