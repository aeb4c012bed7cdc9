//go:build testbed

package systemdctl

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/holdfast/holdfast/internal/bus"
)

// examples has at least one value for every setting; a setting given twice or more in
// one unit stands in one entry, its values separated by "\n".
var examples = map[string][]string{
	"Documentation":               {"man:ssh(1) https://example.com/a%%20b"},
	"After":                       {"a.service", `foo\x2dbar.mount b.service`, "a.service\nb.target"},
	"Before":                      {"shutdown.target"},
	"Wants":                       {"a.service"},
	"Requires":                    {"a.service"},
	"Requisite":                   {"a.service"},
	"BindsTo":                     {"a.service"},
	"PartOf":                      {"graphical-session.target"},
	"Upholds":                     {"a.service"},
	"Conflicts":                   {"a.service"},
	"OnFailure":                   {"notify@x.service"},
	"OnSuccess":                   {"a.service"},
	"RequiresMountsFor":           {`/srv "/var/with space"`},
	"StartLimitIntervalSec":       {"0", "1min", "infinity"},
	"StartLimitBurst":             {"7"},
	"ConditionACPower":            {"true"},
	"ConditionArchitecture":       {"x86-64"},
	"ConditionCapability":         {"CAP_NET_ADMIN"},
	"ConditionDirectoryNotEmpty":  {"/srv"},
	"ConditionEnvironment":        {"LANG=C"},
	"ConditionFileIsExecutable":   {"/bin/sh"},
	"ConditionFileNotEmpty":       {"!/etc/hostname"},
	"ConditionGroup":              {"users"},
	"ConditionHost":               {"box"},
	"ConditionKernelCommandLine":  {"quiet"},
	"ConditionKernelVersion":      {">= 5.0"},
	"ConditionPathExists":         {"/a b", "|!/x", "/x\n|/y", "/x\n\n/y"},
	"ConditionPathExistsGlob":     {"/etc/*.conf"},
	"ConditionPathIsDirectory":    {"/etc"},
	"ConditionPathIsMountPoint":   {"/"},
	"ConditionPathIsReadWrite":    {"/"},
	"ConditionPathIsSymbolicLink": {"/bin"},
	"ConditionUser":               {"!@system"},
	"ConditionVirtualization":     {"container"},

	"RestartSec":     {"5", "1min 30s", "0"},
	"TimeoutStopSec": {"90", "infinity", "0"},
	"RuntimeMaxSec":  {"0", "1d", "infinity"},
	"WatchdogSec":    {"30s", "0"},
	"WatchdogSignal": {"SIGQUIT", "ABRT"},
	"OOMPolicy":      {"stop", "kill"},
	"ExecCondition":  {"/bin/test -e /x"},
	"ExecStartPre":   {`/bin/echo 'a b' "c\x41" $HOME 100%%`, "-/bin/false", "-:/bin/sh me", "/bin/a\n/bin/b", "/bin/a\n\n/bin/b", "echo x"},
	"ExecStartPost":  {"/bin/echo ${A}"},
	"ExecStopPost":   {":/bin/echo $A"},

	"Environment":             {`A=1 "B=two words" C='x"y' D=\x41\tz`, "A=1\nB=2\nA=3", "A=1\n\nB=2", "A=50%%"},
	"EnvironmentFile":         {"/etc/default/a b", "-/etc/none", "/a\n/b"},
	"PassEnvironment":         {"LANG HOME"},
	"UnsetEnvironment":        {"LANG A=1"},
	"LoadCredential":          {"key:/etc/key:file", "alone"},
	"LoadCredentialEncrypted": {"key:/etc/key"},
	"SetCredential":           {`key:a b\x41\n100%%`},
	"SetCredentialEncrypted":  {"key:AAECAwQ="},
	"WorkingDirectory":        {"/srv/a b", "-/none", "~"},
	"RuntimeDirectory":        {"a b/c", ".a ..b/.c"},
	"RuntimeDirectoryMode":    {"0700"},
	"StateDirectory":          {"a"},
	"StateDirectoryMode":      {"750"},
	"UMask":                   {"0077"},

	"StandardOutput":          {"null", "file:/tmp/a b", "append:/tmp/a", "truncate:/tmp/a"},
	"StandardError":           {"journal", "file:/tmp/a"},
	"SyslogIdentifier":        {"my tunnel"},
	"LogLevelMax":             {"notice"},
	"LogRateLimitIntervalSec": {"0", "10s"},
	"LogRateLimitBurst":       {"500"},
	"LogNamespace":            {"mine"},

	"Slice":          {"background.slice"},
	"CPUWeight":      {"50"},
	"CPUQuota":       {"20%", "150%", "12.5%"},
	"MemoryMin":      {"1M"},
	"MemoryLow":      {"16M"},
	"MemoryHigh":     {"1.5G", "50%"},
	"MemoryMax":      {"64M", "10%", "33.33%", "infinity", "65536"},
	"MemorySwapMax":  {"0", "1G"},
	"TasksMax":       {"32", "10%", "infinity"},
	"IOWeight":       {"50"},
	"LimitCORE":      {"0"},
	"LimitNOFILE":    {"1024:4096", "512"},
	"LimitNPROC":     {"100"},
	"LimitMEMLOCK":   {"64K"},
	"Nice":           {"5", "-5"},
	"OOMScoreAdjust": {"500"},

	"NoNewPrivileges":         {"yes"},
	"ProtectSystem":           {"strict", "yes", "full"},
	"ProtectHome":             {"read-only", "off"},
	"ProtectProc":             {"invisible"},
	"ProcSubset":              {"pid"},
	"ProtectKernelTunables":   {"yes"},
	"ProtectKernelModules":    {"yes"},
	"ProtectKernelLogs":       {"yes"},
	"ProtectControlGroups":    {"yes"},
	"ProtectClock":            {"yes"},
	"ProtectHostname":         {"yes"},
	"PrivateTmp":              {"yes"},
	"PrivateDevices":          {"yes"},
	"PrivateUsers":            {"yes"},
	"PrivateMounts":           {"yes"},
	"PrivateIPC":              {"yes"},
	"ReadWritePaths":          {`/srv -/none "/a b"`},
	"ReadOnlyPaths":           {"/srv"},
	"InaccessiblePaths":       {"-/root"},
	"RestrictAddressFamilies": {"AF_UNIX AF_INET AF_INET6", "~AF_NETLINK", "none"},
	"RestrictNamespaces":      {"yes", "no"},
	"RestrictRealtime":        {"yes"},
	"RestrictSUIDSGID":        {"yes"},
	"RemoveIPC":               {"yes"},
	"LockPersonality":         {"yes"},
	"MemoryDenyWriteExecute":  {"yes"},
	"SystemCallFilter":        {"@system-service", "~@debug ptrace", "@system-service\n~@mount"},
	"SystemCallErrorNumber":   {"EPERM", "ENOSYS"},
	"SystemCallArchitectures": {"native"},
	"CapabilityBoundingSet":   {"CAP_NET_BIND_SERVICE", "~CAP_SYS_ADMIN", ""},
	"AmbientCapabilities":     {"CAP_NET_BIND_SERVICE"},
	"KeyringMode":             {"private"},
}

// TestReadBack gives every setting to systemd twice, by us and in a unit file, and
// holds the properties that come of it against each other.
func TestReadBack(t *testing.T) {
	ctx, c := connect(t)
	type example struct {
		section, key string
		values       []string
		props        []Property
	}
	var list []example
	folder := filepath.Join(os.Getenv("HOME"), ".config/systemd/user")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"Unit", "Service"} {
		for _, key := range known(section) {
			if len(examples[key]) == 0 {
				t.Errorf("%s has no example", key)
			}
			for _, lines := range examples[key] {
				e := example{section: section, key: key, values: strings.Split(lines, "\n")}
				var settings []Setting
				text := "[" + section + "]\n"
				for _, v := range e.values {
					settings = append(settings, Setting{key, v})
					text += key + "=" + v + "\n"
				}
				var errs []error
				e.props, errs = Properties(User, section, settings)
				for i, err := range errs {
					if err != nil {
						t.Errorf("%s=%s: %v", key, e.values[i], err)
					}
				}
				text += "[Service]\nExecStart=/bin/true\n"
				path := filepath.Join(folder, fmt.Sprintf("probe-ref%d.service", len(list)))
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.Remove(path) })
				list = append(list, e)
			}
		}
	}
	if out, err := exec.CommandContext(ctx, "systemctl", "--user", "daemon-reload").CombinedOutput(); err != nil {
		t.Fatalf("daemon-reload: %v\n%s", err, out)
	}
	settings := map[string]bool{}
	for i, e := range list {
		ours, ref := fmt.Sprintf("probe-our%d", i), fmt.Sprintf("probe-ref%d.service", i)
		service := Service{ExecStart: []string{"/bin/true"}}
		socket := Socket{ListenStream: []string{"@" + ours}}
		// Our service only has to be loaded; its socket holds it so.
		units := []Transient{{ours + ".socket", socket.Properties()}, {ours + ".service", append(service.Properties(), e.props...)}}
		if err := c.StartTransient(ctx, units[0], units[1]); err != nil {
			t.Errorf("%s=%s: %v", e.key, strings.Join(e.values, "⏎"), err)
			continue
		}
		got, want := all(ctx, t, c, ours+".service"), all(ctx, t, c, ref)
		for _, p := range e.props {
			name := strings.TrimSuffix(p.Name, "Scale")
			if strings.HasPrefix(name, "Standard") && len(name) > len("StandardOutput") {
				name = e.key
			}
			if g, w := shape(name, got[name]), shape(name, want[name]); g != w || w == "" {
				t.Errorf("%s=%s: %s is\n%s\nin a unit file\n%s", e.key, strings.Join(e.values, "⏎"), name, g, w)
			}
		}
		settings[e.key] = true
		clean(t, c, units...)
	}
	t.Logf("%d settings, %d values", len(settings), len(list))
}

// all is every property of a unit.
func all(ctx context.Context, t *testing.T, c *Conn, name string) map[string]dbus.Variant {
	t.Helper()
	var props map[string]dbus.Variant
	if err := c.bus.Object(busName, unitPath(name)).CallWithContext(ctx, bus.PropertiesInterface+".GetAll", 0, "").Store(&props); err != nil {
		t.Fatal(err)
	}
	return props
}

// shape is a property as text, without what comes of the unit's name and in an order of its own.
func shape(name string, v dbus.Variant) string {
	if names, ok := v.Value().([]string); ok {
		var kept []string
		for _, name := range names {
			if !strings.HasPrefix(name, "probe-") {
				kept = append(kept, name)
			}
		}
		slices.Sort(kept)
		return fmt.Sprintf("%q", kept)
	}
	if v.Value() == nil {
		return ""
	}
	return v.String()
}
