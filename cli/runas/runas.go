// Package runas runs programs as a tunnel's unit would: as its user and in its environment.
package runas

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/checkup/machine"
	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/tunnelfile"
)

// account is the account that a system tunnel runs as.
type account struct {
	*user.User
	uid, gid uint32
	groups   []uint32
}

// runsAs finds the account that a system tunnel runs as. Keys, known_hosts and ssh_config must be read
// as that account, so this process must run as it already, or as root.
func runsAs(s *session.Session, t tunnelfile.Tunnel) (account, error) {
	u, err := user.Lookup(t.User())
	if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
		if byNumber, numberErr := user.LookupId(t.User()); numberErr == nil {
			u, err = byNumber, nil
		}
	}
	if err != nil {
		return account{}, fmt.Errorf("tunnel %s, User=%s: %w", t.Name, t.User(), err)
	}
	if me := os.Geteuid(); me != 0 && strconv.Itoa(me) != u.Uid {
		return account{}, advice.Error{
			Err:  fmt.Errorf("%s runs as %s: what it sees of keys, known_hosts and ssh_config only root can look at", cmp.Or(t.Name, "it"), u.Username),
			Hint: s.AsRoot(),
		}
	}
	w := account{User: u}
	ids, err := u.GroupIds()
	if err != nil {
		return account{}, err
	}
	for i, text := range append([]string{u.Uid, u.Gid}, ids...) {
		id, err := strconv.ParseUint(text, 10, 32)
		switch {
		case err != nil:
			return account{}, err
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

// variables are those that systemd sets in the environment of a unit with User=asUser.
func (w account) variables(asUser string) []string {
	return []string{"HOME=" + w.HomeDir, "USER=" + w.Username, "LOGNAME=" + w.Username,
		"RUNTIME_DIRECTORY=" + tunnelfile.UserRuntimeDir(asUser)}
}

// AsUnit sets the user and the environment of a system tunnel's unit on a command.
func AsUnit(s *session.Session, cmd *exec.Cmd, t tunnelfile.Tunnel) error {
	w, err := runsAs(s, t)
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 && w.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: w.uid, Gid: w.gid, Groups: w.groups}}
		cmd.Dir = "/" // the account may not have access to our own folder
	}
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "TERM=" + os.Getenv("TERM")},
		machine.Environment(s.Ctx, true), w.variables(t.User()), UnitEnvironment(s, t))
	return nil
}

// UnitEnvironment is what a tunnel's file adds to the environment of its unit.
func UnitEnvironment(s *session.Session, t tunnelfile.Tunnel) []string {
	environment := ServiceEnvironment(t.Service)
	if slices.ContainsFunc(t.Service, handsOver) {
		run := "/run"
		if !s.System {
			run = os.Getenv("XDG_RUNTIME_DIR")
		}
		environment = append(environment, "CREDENTIALS_DIRECTORY="+filepath.Join(run, "credentials", tunnelfile.ServiceName(t.Name)))
	}
	return environment
}

// handsOver says whether systemd passes credentials to the unit because of a setting, see systemd.exec(5).
func handsOver(s tunnelfile.Setting) bool {
	key := strings.TrimSuffix(s.Key, "Encrypted")
	return key == "LoadCredential" || key == "SetCredential"
}

// Become gives this process the user and the environment of a system tunnel.
func Become(s *session.Session, t tunnelfile.Tunnel) error {
	w, err := runsAs(s, t)
	if err != nil {
		return err
	}
	if err := Setenv(w.variables(t.User())); err != nil {
		return err
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

// Setenv sets variables of this process. Each is NAME=VALUE.
func Setenv(variables []string) error {
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// ServiceEnvironment is what Environment= in [Service] sets. Values with escapes or specifiers are left
// out, since only systemd can expand them.
func ServiceEnvironment(service []tunnelfile.Setting) []string {
	var environment []string
	for _, s := range service {
		if s.Key != "Environment" || strings.ContainsAny(s.Value, `\%`) {
			continue
		}
		if words, err := tunnelfile.Words(s.Value); err == nil {
			environment = append(environment, words...)
		}
	}
	return environment
}

// Program is the path of another of Holdfast's programs: beside this one, or in PATH.
func Program(program string) (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), program)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(program)
}
