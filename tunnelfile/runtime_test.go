package tunnelfile

import "testing"

func TestRuntimeDirOfSystem(t *testing.T) {
	for _, c := range []struct {
		xdg, runtime, want string
		system             bool
	}{
		{"/run/user/1000", "", "/run/user/1000/holdfast", false},
		{"/run/user/1000", "/run/user/1000/mine", "/run/user/1000/holdfast", false},
		{"", "", "/run/holdfast", false},
		{"", "/run/holdfast", "/run/holdfast", false}, // the daemon's own
		{"", "/run/holdfast/user/deploy", UserRuntimeDir("deploy"), true},
		{"/run/user/1000", "/run/mine:/run/holdfast/user/deploy", UserRuntimeDir("deploy"), true},
	} {
		getenv := func(name string) string {
			return map[string]string{"XDG_RUNTIME_DIR": c.xdg, "RUNTIME_DIRECTORY": c.runtime}[name]
		}
		if got := RuntimeDir(getenv); got != c.want || OfSystem(getenv) != c.system {
			t.Errorf("%+v: %s, of the system: %t", c, got, OfSystem(getenv))
		}
	}
}
