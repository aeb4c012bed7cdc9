package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/checkup/machine"
	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ours has command lines of ours in a sentence be about the tunnels that this session is about.
func (s *session) ours(text string) string {
	if !s.system || !strings.Contains(text, "holdfast ") {
		return text
	}
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
	}
	return regexp.MustCompile(`\bholdfast (`+strings.Join(names, "|")+`)\b`).ReplaceAllString(text, "holdfast --system $1")
}

// nextStart is when tunnels that start by themselves do so next.
func (s *session) nextStart() string {
	if s.system {
		return "boot"
	}
	return "login"
}

// whose is the account that a tunnel of the system runs as.
type whose struct {
	*user.User
	uid, gid uint32
	groups   []uint32
}

// runsAs is who a tunnel of the system runs as, with whose eyes its keys, known_hosts and
// ssh_config are looked at. That may be this process already; else it must be root's.
func (s *session) runsAs(t tunnelfile.Tunnel) (whose, error) {
	u, err := user.Lookup(t.User())
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		if byNumber, numberErr := user.LookupId(t.User()); numberErr == nil {
			u, err = byNumber, nil
		}
	}
	if err != nil {
		return whose{}, fmt.Errorf("tunnel %s, User=%s: %w", t.Name, t.User(), err)
	}
	if me := os.Geteuid(); me != 0 && strconv.Itoa(me) != u.Uid {
		return whose{}, advice.Error{
			Err:  fmt.Errorf("%s runs as %s: what it sees of keys, known_hosts and ssh_config only root can look at", cmp.Or(t.Name, "it"), u.Username),
			Hint: "sudo " + s.ours("holdfast "+s.verb+" "+t.Name),
		}
	}
	w := whose{User: u}
	ids, err := u.GroupIds()
	if err != nil {
		return whose{}, err
	}
	for i, text := range append([]string{u.Uid, u.Gid}, ids...) {
		id, err := strconv.ParseUint(text, 10, 32)
		switch {
		case err != nil:
			return whose{}, err
		case i == 0:
			w.uid = uint32(id)
		case i == 1:
			w.gid = uint32(id)
		default:
			w.groups = append(w.groups, uint32(id))
		}
	}
	return w, nil
}

// variables are what systemd sets in the environment of what runs as this user.
func (w whose) variables(asUser string) []string {
	return []string{"HOME=" + w.HomeDir, "USER=" + w.Username, "LOGNAME=" + w.Username,
		"RUNTIME_DIRECTORY=" + tunnelfile.UserRuntimeDir(asUser)}
}

// asUnit gives a command the user and the environment that the unit of a tunnel of the
// system has.
func (s *session) asUnit(cmd *exec.Cmd, t tunnelfile.Tunnel) error {
	w, err := s.runsAs(t)
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 && w.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: w.uid, Gid: w.gid, Groups: w.groups}}
		cmd.Dir = "/" // where it may be
	}
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "TERM=" + os.Getenv("TERM")},
		machine.Environment(s.ctx, true), w.variables(t.User()), serviceEnvironment(t.Service))
	return nil
}

// become makes this process the user's that a tunnel of the system runs as.
func (s *session) become(t tunnelfile.Tunnel) error {
	w, err := s.runsAs(t)
	if err != nil {
		return err
	}
	for _, variable := range w.variables(t.User()) {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 || w.uid == 0 {
		return nil
	}
	groups := make([]int, len(w.groups))
	for i, g := range w.groups {
		groups[i] = int(g)
	}
	return errors.Join(syscall.Setgroups(groups), syscall.Setgid(int(w.gid)), syscall.Setuid(int(w.uid)))
}
