package systemdctl

import (
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestProperties holds the kinds of values against what systemd's properties carry.
func TestProperties(t *testing.T) {
	for _, c := range []struct {
		section, key, value string
		want                []Property
	}{
		{"Service", "TimeoutStopSec", "90", []Property{property("TimeoutStopUSec", uint64(90e6))}},
		{"Service", "RestartSec", "1min 1.5s", []Property{property("RestartUSec", uint64(61.5e6))}},
		{"Service", "RuntimeMaxSec", "infinity", []Property{property("RuntimeMaxUSec", uint64(math.MaxUint64))}},
		{"Service", "WatchdogSec", "100ms", []Property{property("WatchdogUSec", uint64(100e3))}},
		{"Service", "MemoryMax", "64M", []Property{property("MemoryMax", uint64(64<<20))}},
		{"Service", "MemoryMax", "1.5G", []Property{property("MemoryMax", uint64(3<<29))}},
		{"Service", "MemoryHigh", "infinity", []Property{property("MemoryHigh", uint64(math.MaxUint64))}},
		{"Service", "MemoryHigh", "50%", []Property{property("MemoryHighScale", uint32(1<<31))}},
		{"Service", "TasksMax", "100%", []Property{property("TasksMaxScale", uint32(math.MaxUint32))}},
		{"Service", "TasksMax", "12", []Property{property("TasksMax", uint64(12))}},
		{"Service", "CPUWeight", "50", []Property{property("CPUWeight", uint64(50))}},
		{"Service", "CPUQuota", "150%", []Property{property("CPUQuotaPerSecUSec", uint64(1500000))}},
		{"Service", "LimitNOFILE", "1024:4096", []Property{property("LimitNOFILE", uint64(4096)), property("LimitNOFILESoft", uint64(1024))}},
		{"Service", "UMask", "0077", []Property{property("UMask", uint32(0o77))}},
		{"Service", "LogLevelMax", "info", []Property{property("LogLevelMax", int32(6))}},
		{"Service", "PrivateTmp", "yes", []Property{property("PrivateTmp", true)}},
		{"Service", "ProtectHome", "true", []Property{property("ProtectHome", "yes")}},
		{"Service", "SystemCallFilter", "~@debug @mount", []Property{property("SystemCallFilter", filter{false, []string{"@debug", "@mount"}})}},
		{"Service", "RestrictNamespaces", "no", []Property{property("RestrictNamespaces", uint64(0x7E020000))}},
		{"Service", "Environment", `A=1 "B=two words" 'C=\x41\n'`, []Property{property("Environment", []string{"A=1", "B=two words", "C=A\n"})}},
		{"Service", "Environment", "", []Property{property("Environment", []string{})}},
		{"Service", "Environment", "SHARE=50%%", []Property{property("Environment", []string{"SHARE=50%"})}},
		{"Service", "EnvironmentFile", "-/etc/a file", []Property{property("EnvironmentFiles", []fileMayMiss{{"/etc/a file", true}})}},
		{"Service", "LoadCredential", "key:/a:b", []Property{property("LoadCredential", []credential{{"key", "/a:b"}})}},
		{"Service", "SetCredential", `k:a\x00b\n`, []Property{property("SetCredential", []secret{{"k", []byte("a\x00b\n")}})}},
		{"Service", "StandardOutput", "append:/tmp/x y", []Property{property("StandardOutputFileToAppend", "/tmp/x y")}},
		{"Service", "ExecStartPre", `-/bin/sh -c "echo $A; exit 1" '%%'`, []Property{property("ExecStartPreEx", []execCommandEx{
			{"/bin/sh", []string{"/bin/sh", "-c", "echo $A; exit 1", "%"}, []string{"ignore-failure"}},
		})}},
		{"Service", "ExecStartPre", "", []Property{property("ExecStartPreEx", []execCommandEx{})}},
		{"Unit", "After", `a.service foo\x2dbar.mount`, []Property{property("After", []string{"a.service", `foo\x2dbar.mount`})}},
		{"Unit", "ConditionPathExists", "|!/a b", []Property{property("Conditions", []condition{{"ConditionPathExists", true, true, "/a b"}})}},
		{"Unit", "StartLimitIntervalSec", "10", []Property{property("StartLimitIntervalUSec", uint64(10e6))}},
	} {
		got, errs := Properties(User, c.section, []Setting{{c.key, c.value}})
		if errs[0] != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s=%s:\n got %v, %v\nwant %v", c.key, c.value, got, errs[0], c.want)
		}
	}
}

func TestPropertiesRefused(t *testing.T) {
	for _, c := range []struct{ section, key, value, want string }{
		{"Service", "MemoryMaxx", "1G", "did you mean MemoryMax?"},
		{"Service", "memorymax", "1G", "did you mean MemoryMax?"},
		{"Service", "Frobnicate", "1", "no such setting in [Service]; holdfast.tunnel(5)"},
		{"Service", "After", "a.service", "belongs in [Unit]"},
		{"Unit", "PrivateTmp", "yes", "belongs in [Service]"},
		{"Service", "Type", "simple", "cannot be set here: the program reports"},
		{"Service", "KillMode", "none", "cannot be set here"},
		{"Service", "BindPaths", "/a", "a tunnel has no such setting in [Service]"},
		{"Service", "RuntimeDirectory", "a/../b", "not a plain relative path"},
		{"Service", "RuntimeDirectory", "/a", "not a plain relative path"},
		{"Service", "LogLevelMax", "-1", "none of emerg"},
		{"Service", "IOWeight", "idle", "not a weight"},
		{"Service", "MemoryMax", "", "not a size"},
		{"Install", "WantedBy", "x.target", "no such section"},
		{"Service", "WorkingDirectory", "%h/x", `specifiers such as "%h" are not expanded`},
		{"Service", "Environment", "A=%", `specifiers such as "%"`},
		{"Service", "Environment", "just-a-word", "not VARIABLE=VALUE"},
		{"Service", "Environment", `"A=1`, "not closed"},
		{"Service", "Environment", `A=\q`, "no such escape"},
		{"Service", "TimeoutStopSec", "soon", "not a time span"},
		{"Service", "TimeoutStopSec", "", "not a time span"},
		{"Service", "MemoryMax", "64Q", "not a size"},
		{"Service", "MemoryMax", "101%", "more than there is"},
		{"Service", "PrivateTmp", "maybe", "neither yes nor no"},
		{"Service", "ProtectSystem", "strictly", "none of yes, no, full, strict"},
		{"Service", "LimitNOFILE", "9:8", "above the hard limit"},
		{"Service", "Nice", "20", "from -20 to 19"},
		{"Service", "ExecStartPre", "bin/sh", "neither an absolute path"},
		{"Service", "ExecStartPre", "-", "needs a command"},
		{"Service", "ExecStartPre", "+/bin/true", `"+" before a command is not taken`},
		{"Service", "ExecStartPre", "/bin/a ; /bin/b", "a line of its own"},
		{"Service", "RestrictNamespaces", "~user", "neither yes nor no"},
		{"Service", "SystemCallErrorNumber", "EWHAT", "not an error number"},
		{"Service", "StandardOutput", "file:x", "not an absolute path"},
		{"Unit", "After", "network", "not the name of a unit"},
		{"Unit", "After", "", "needs the name of a unit"},
		{"Unit", "ConditionPathExists", "here", "not an absolute path"},
		{"Unit", "Documentation", "see the manual", "not a URI"},
	} {
		good := Setting{"SyslogIdentifier", "x"}
		if c.section == "Unit" {
			good = Setting{"Wants", "x.service"}
		}
		props, errs := Properties(User, c.section, []Setting{{c.key, c.value}, good})
		if errs[0] == nil || !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("[%s] %s=%s: got %v, want …%s…", c.section, c.key, c.value, errs[0], c.want)
		}
		if c.section != "Install" && (errs[1] != nil || len(props) != 1) {
			t.Errorf("[%s] %s=%s spoiled the setting after it: %v, %v", c.section, c.key, c.value, props, errs[1])
		}
	}
}

// TestTables finds a setting that is both taken and refused, or that the manual lacks.
func TestTables(t *testing.T) {
	manual, err := os.ReadFile("../packaging/man/holdfast.tunnel.5")
	if err != nil {
		t.Fatal(err)
	}
	for at := range conversions[System] {
		switch key, _ := strings.CutPrefix(at.key, "Condition"); {
		case at.section == "" || at.key == "DynamicUser":
		case conversions[User][settingKey{"", at.key}] != nil && conversions[User][at] != nil:
			t.Errorf("[%s] %s is taken and refused", at.section, at.key)
		case !regexp.MustCompile(`(?m)^(Condition\.\.\.: )?` + key + `[,.=]`).Match(manual):
			t.Errorf("holdfast.tunnel(5) does not list %s", key)
		}
	}
}

// FuzzProperties finds values that panic or that make a property without a type.
func FuzzProperties(f *testing.F) {
	f.Add(uint16(0), "yes")
	f.Add(uint16(7), `-/bin/sh -c "a\x41" ; b`)
	f.Add(uint16(31), "1.5G")
	f.Add(uint16(99), "~a:b \\")
	var keys []Setting
	for _, section := range []string{"Unit", "Service"} {
		for _, key := range known(section) {
			keys = append(keys, Setting{section, key})
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, value string) {
		s := keys[int(n)%len(keys)]
		props, errs := Properties(User, s.Key, []Setting{{s.Value, value}})
		if errs[0] == nil && len(props) == 0 {
			t.Errorf("%s=%q: neither a property nor an error", s.Value, value)
		}
		for _, p := range props {
			if p.Value.Signature().Empty() {
				t.Errorf("%s=%q: %s has no type", s.Value, value, p.Name)
			}
		}
	})
}

// TestPropertiesOfSystemUnits holds that only units of the system name a user, and none one
// that is made up.
func TestPropertiesOfSystemUnits(t *testing.T) {
	for _, c := range []struct {
		scope      Scope
		key, value string
		want       string // of the error; empty: taken
	}{
		{System, "User", "deploy", ""},
		{System, "User", "1000", ""},
		{System, "Group", "adm", ""},
		{System, "SupplementaryGroups", "adm ssl-cert", ""},
		{System, "User", "../root", "not the name or the number"},
		{System, "User", "", "not the name or the number"},
		{System, "DynamicUser", "yes", "name one that stays by User="},
		{User, "User", "deploy", "the unit runs as the person"},
		{User, "DynamicUser", "yes", "the unit runs as the person"},
	} {
		_, errs := Properties(c.scope, "Service", []Setting{{c.key, c.value}})
		switch {
		case c.want == "" && errs[0] != nil:
			t.Errorf("%s=%s: %v", c.key, c.value, errs[0])
		case c.want != "" && (errs[0] == nil || !strings.Contains(errs[0].Error(), c.want)):
			t.Errorf("%s=%s: got %v, want …%s…", c.key, c.value, errs[0], c.want)
		}
	}
}
