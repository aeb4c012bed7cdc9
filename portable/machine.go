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

// Machine is what there is to know of the person, and of where they keep things.
type Machine struct {
	Home    string // absolute
	User    string
	UID     string
	Host    string
	Runtime string // $XDG_RUNTIME_DIR
	Config  string // $XDG_CONFIG_HOME
	System  bool   // it is about the system's own tunnels
}

// ThisMachine is where this program runs.
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
	m.Host, _ = os.Hostname() // without one %H is empty
	return m
}

// Places are where people keep tunnels, and the files there that may have any.
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
		found, _ := filepath.Glob(place) // the pattern is well-formed, but for a strange home
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

// ofServer are files of the SSH server's package, which start sshd alone.
var ofServer = []string{"/etc/init.d/ssh", "/etc/init.d/sshd", "/etc/sv/ssh/run", "/etc/service/ssh/run"}

func (m Machine) sshConfig() string { return filepath.Join(m.Home, ".ssh/config") }

// variables are what every program of the person has in its environment.
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
	Name    string   // valid, but perhaps taken
	Other   string   // the same for where Name is taken; empty: there is none
	Text    string   // of the tunnel file
	Places  []string // file:line, where it was found; several where they say the same
	Start   string   // why it starts as it does
	Notes   []string // what is not carried over, and why
	Kept    []string // what ssh_config(5) has and keeps
	AsIs    bool     // Text is a tunnel file that somebody wrote
	Todo    []string // for the person, so that the old and the new do not fight for a port
	problem tunnelfile.Problem
}

// Problem is a complaint about where it was found.
func (f Found) Problem(message string) tunnelfile.Problem {
	p := f.problem
	p.Message = message
	return p
}

// Same says whether the tunnel file with that text makes this tunnel already.
func (f Found) Same(text string) bool {
	return text == f.Text || !f.AsIs && sameTunnel(text, f.Text)
}

// Merge makes one of those that say the same: the first, with what is to be done about all.
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
		}{{&g.Places, f.Places}, {&g.Kept, f.Kept}, {&g.Notes, f.Notes}, {&g.Todo, f.Todo}} {
			for _, line := range add.it {
				if !slices.Contains(*add.to, line) {
					*add.to = append(*add.to, line)
				}
			}
		}
	}
	return merged
}

// sameTunnel says whether two texts make the same tunnel, whenever it starts.
func sameTunnel(a, b string) bool {
	hash := func(text string) string {
		t, _ := tunnelfile.Parse("", "", text)
		t.Start = tunnelfile.StartAuto
		return tunnelfile.SettingsHash(t)
	}
	return hash(a) == hash(b)
}
