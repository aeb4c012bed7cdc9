package design

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/internal/words"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// serviceDefaults is the settings of [Service] that a tunnel file may replace.
func (u *Units) serviceDefaults(t tunnelfile.Tunnel, scope systemdctl.Scope) []systemdctl.Setting {
	// A worker that hangs would go on to take clients, and lose them, for some time after SIGABRT,
	// systemd's default for WatchdogSignal. Open channels drain for 10 s of TimeoutStopSec. LimitCORE
	// is 0 because keys are in memory.
	base := lines("RestartSec=5s", "TimeoutStopSec=15s", "WatchdogSec=30s", "WatchdogSignal=SIGKILL",
		"UMask=0077", "LimitCORE=0", "KeyringMode=private")
	if n := u.files(); n > usualFiles {
		base = append(base, lines("LimitNOFILE="+fmt.Sprintf("%d:%d", n, max(n, maxFiles)))...)
	}
	if scope == systemdctl.System {
		base = append(base, lines("User="+t.User())...) // so that HOME is set
	}
	if on, ok := words.Boolean(t.ServiceSetting("NoNewPrivileges").Value); ok && !on {
		return base
	}
	base = append(base, sandbox...)
	families := "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
	if scope != systemdctl.System || vsock.MatchString(textOf(t)) {
		families += " AF_VSOCK"
	}
	base = append(base, lines("RestrictAddressFamilies="+families)...)
	if scope == systemdctl.System {
		base = append(base, systemSandbox...)
		base = append(base, lines("ReadWritePaths="+strings.Join(u.writes(t), " "))...)
		if !strings.Contains(textOf(t), "/tmp/") {
			base = append(base, lines("PrivateTmp=yes")...)
		}
		if !usesDevice(t) && !usesSecurityKey(t) {
			base = append(base, lines("PrivateDevices=yes")...)
		}
	}
	return base
}

// sandbox is what a worker does not need, nor ssh, a ProxyCommand, an agent or a command of
// ExecUp=: nothing here hides a file or forbids a program. In a user unit each of these implies
// NoNewPrivileges=yes. So none is set if a tunnel file says NoNewPrivileges=no, which a
// ProxyCommand with sudo(8) needs.
var sandbox = lines("NoNewPrivileges=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes",
	"RestrictNamespaces=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes",
	"SystemCallArchitectures=native", "SystemCallFilter=@system-service", "SystemCallErrorNumber=EPERM")

// systemSandbox is what the system's manager can take away in addition.
var systemSandbox = lines("CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_DAC_OVERRIDE", "ProtectSystem=strict",
	"ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
	"ProtectClock=yes", "ProtectHostname=yes", "ProtectProc=invisible")

// lines are settings as KEY=VALUE.
func lines(assignments ...string) []systemdctl.Setting {
	settings := make([]systemdctl.Setting, len(assignments))
	for i, line := range assignments {
		settings[i].Key, settings[i].Value, _ = strings.Cut(line, "=")
	}
	return settings
}

// writes returns the folders that a tunnel of the system writes to, for ReadWritePaths=: those of
// known_hosts and ControlPath, which are ~/.ssh unless [SSH] names others, and those of the unix
// sockets that it listens on. systemd ignores the ones that do not exist.
func (u *Units) writes(t tunnelfile.Tunnel) []string {
	home := homeOf(t.User())
	ssh := filepath.Join(home, ".ssh")
	if _, err := os.Stat(ssh); errors.Is(err, fs.ErrNotExist) {
		ssh = home // where it is made
	}
	paths := []string{"/run/holdfast", ssh}
	for _, key := range []string{"UserKnownHostsFile", "ControlPath"} {
		for _, path := range strings.Fields(t.SSHSetting(key)) {
			if filepath.IsAbs(path) {
				paths = append(paths, filepath.Dir(path))
			}
		}
	}
	for _, f := range u.Forwards {
		if f.Kind != tunnelfile.RemoteForward && f.Listen.Unix != "" {
			paths = append(paths, filepath.Dir(f.Listen.Unix))
		}
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for i, path := range paths {
		paths[i] = `"-` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(path) + `"`
	}
	return paths
}

// homeOf is the home folder of a user, who is given by name or number.
func homeOf(name string) string {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil || u.HomeDir == "" {
		return "/root"
	}
	return u.HomeDir
}

// textOf is the text of the tunnel's file, and the settings that come from ssh_config(5).
func textOf(t tunnelfile.Tunnel) string { return t.Text + fmt.Sprint(t.SSH, t.Service) }

var (
	vsock   = regexp.MustCompile(`(?i)vsock|ssh-proxy`) // systemd-ssh-proxy(1) reaches virtual machines
	devices = regexp.MustCompile(`/dev/[a-zA-Z0-9]+`)
)

// usesDevice says whether a setting names a device that PrivateDevices=yes hides.
func usesDevice(t tunnelfile.Tunnel) bool {
	return slices.ContainsFunc(devices.FindAllString(textOf(t), -1), func(path string) bool {
		switch strings.TrimPrefix(path, "/dev/") {
		case "null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr", "fd", "shm", "pts", "log", "tcp", "udp": // tcp and udp are bash's own
			return false
		}
		return true
	})
}

// usesSecurityKey says whether the worker may need a security key or a token: a key file belongs
// to one, or a setting names a library for one.
func usesSecurityKey(t tunnelfile.Tunnel) bool {
	files := slices.Clone(config.DefaultIdentities)
	for _, s := range t.SSH {
		switch strings.ToLower(s.Key) {
		case "securitykeyprovider", "pkcs11provider":
			if !strings.EqualFold(s.Value, "none") && !strings.EqualFold(s.Value, "internal") {
				return true
			}
		case "identityfile":
			files = append(files, strings.Trim(s.Value, `"`))
		}
	}
	home := homeOf(t.User())
	return slices.ContainsFunc(files, func(path string) bool {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			path = filepath.Join(home, rest)
		}
		return isSecurityKey(path)
	})
}

// isSecurityKey says whether a key file, or the public key beside it, belongs to a security key.
func isSecurityKey(path string) bool {
	if strings.HasSuffix(path, "_sk") {
		_, err := os.Stat(path)
		return err == nil
	}
	public, err := os.ReadFile(strings.TrimSuffix(path, ".pub") + ".pub")
	return err == nil && strings.HasPrefix(string(public), "sk-")
}
