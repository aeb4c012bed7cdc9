package portable

import (
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/portable/shell"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Machine is what the import knows about the user and this machine.
type Machine struct {
	Home    string // absolute
	User    string
	UID     string
	Host    string
	Runtime string // $XDG_RUNTIME_DIR
	Config  string // $XDG_CONFIG_HOME
	System  bool   // for the system's tunnels, not a user's
}

// ThisMachine is the Machine of this process.
func ThisMachine(getenv func(string) string, system bool) Machine {
	m := Machine{Home: getenv("HOME"), Runtime: getenv("XDG_RUNTIME_DIR"), Config: getenv("XDG_CONFIG_HOME"), System: system}
	if me, err := user.Current(); err == nil {
		m.User, m.UID = me.Username, me.Uid
		if m.Home == "" {
			m.Home = me.HomeDir
		}
	}
	if m.Config == "" {
		m.Config = filepath.Join(m.Home, ".config")
	}
	m.Host, _ = os.Hostname() // if there is none, %H is empty
	return m
}

// Places are patterns of files where people usually have tunnels, and the existing files that may have some.
func (m Machine) Places() (places, files []string) {
	places = []string{
		"/etc/systemd/system/*.service", "/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/crontabs/*", "/var/spool/cron/*", "/etc/cron.*ly/*",
		"/etc/init.d/*", "/etc/rc.local", "/etc/supervisor/conf.d/*.conf", "/etc/sv/*/run", "/etc/service/*/run",
	}
	if !m.System {
		places = []string{
			filepath.Join(m.Config, "systemd/user/*.service"), filepath.Join(m.Home, ".local/share/systemd/user/*.service"), m.sshConfig(),
			filepath.Join(m.Config, "autostart/*.desktop"), filepath.Join(m.Home, "bin/*"), filepath.Join(m.Home, ".local/bin/*"),
		}
		for _, name := range slices.Concat(loginFiles, shellFiles) {
			places = append(places, filepath.Join(m.Home, name))
		}
	}
	for _, place := range places {
		found, _ := filepath.Glob(place) // the pattern is valid, unless Home has strange characters
		for _, path := range found {
			if slices.Contains(ofServer, path) {
				continue
			}
			text, ok := shell.ReadFile(path)
			if ext := filepath.Ext(path); ext == ".service" || path == m.sshConfig() || ok && !strings.Contains(text, "\x00") && mentions(withoutComments(text)) {
				files = append(files, path)
			}
		}
	}
	return places, files
}

// ofServer are files of the SSH server's package, which start sshd only.
var ofServer = []string{"/etc/init.d/ssh", "/etc/init.d/sshd", "/etc/sv/ssh/run", "/etc/service/ssh/run"}

func (m Machine) sshConfig() string { return filepath.Join(m.Home, ".ssh/config") }

// variables are the environment variables that all the user's programs have, plus those in more.
func (m Machine) variables(more map[string]string) map[string]string {
	vars := map[string]string{"HOME": m.Home, "USER": m.User, "LOGNAME": m.User, "UID": m.UID, "HOSTNAME": m.Host}
	if m.Runtime != "" {
		vars["XDG_RUNTIME_DIR"] = m.Runtime
	}
	maps.Copy(vars, more)
	return vars
}

// Found is a tunnel that was found somewhere.
type Found struct {
	Name        string   // valid, but perhaps taken
	Other       string   // another valid name, if Name is taken; empty if there is none
	Text        string   // of the tunnel file
	Places      []string // file:line where it was found; several if they define the same tunnel
	Start       string   // the reason for its Start= setting
	Notes       []string // what is not imported, and why
	InSSHConfig []string // forwards that stay in ssh_config(5)
	AsIs        bool     // Text is a tunnel file that somebody wrote
	Todo        []string // what the user must do so that the old and the new tunnel do not use the same port
	problem     tunnelfile.Problem
}

// Problem makes a problem with this message, at the place where the tunnel was found.
func (f Found) Problem(message string) tunnelfile.Problem {
	p := f.problem
	p.Message = message
	return p
}

// Same says whether a tunnel file with this text already makes the same tunnel.
func (f Found) Same(text string) bool {
	return text == f.Text || !f.AsIs && sameTunnel(text, f.Text)
}

// Merge merges tunnels that are the same into the first of them, with the places, notes and to-dos of all.
func Merge(all []Found) []Found {
	var merged []Found
	for _, f := range all {
		i := slices.IndexFunc(merged, func(g Found) bool { return sameTunnel(f.Text, g.Text) })
		if i < 0 {
			merged = append(merged, f)
			continue
		}
		g := &merged[i]
		for _, add := range []struct {
			to *[]string
			it []string
		}{{&g.Places, f.Places}, {&g.InSSHConfig, f.InSSHConfig}, {&g.Notes, f.Notes}, {&g.Todo, f.Todo}} {
			for _, line := range add.it {
				if !slices.Contains(*add.to, line) {
					*add.to = append(*add.to, line)
				}
			}
		}
	}
	return merged
}

// sameTunnel says whether two texts make the same tunnel. Start= does not matter.
func sameTunnel(a, b string) bool {
	hash := func(text string) string {
		t, _ := tunnelfile.Parse("", "", text)
		t.Start = tunnelfile.StartAuto
		return tunnelfile.SettingsHash(t)
	}
	return hash(a) == hash(b)
}
