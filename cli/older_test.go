package cli_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/dbusapi/apitest"
)

// TestOlderProgram: after an upgrade each verb that is asked says which tunnels run another
// version, and what to type.
func TestOlderProgram(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(t))
	backend := apitest.NewBackend()
	apitest.Serve(t, backend)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	putTunnels(t, backend)
	run := func(names []string, args ...string) string {
		for _, name := range names {
			row, err := backend.Tunnel(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			row.WorkerVersion = "0.8.9"
			backend.Put(row)
		}
		out, _ := exec.Command("holdfast", args...).CombinedOutput()
		return strings.Join(strings.Fields(string(out)), " ")
	}
	verbs := [][]string{{"version"}, {"status"}, {"check"}}
	for _, verb := range verbs {
		if out := run(nil, verb...); strings.Contains(out, "--rolling") {
			t.Errorf("%s, and all run the program of now: %s", verb, out)
		}
	}
	for _, c := range []struct {
		names         []string
		which, toType string
	}{
		{[]string{"web"}, "runs in 1 tunnel: web", "holdfast restart --rolling web"},
		{[]string{"mail"}, "runs in 2 tunnels: mail, web", "holdfast restart --rolling mail web"},
		{[]string{"db", "cafe"}, "runs in 4 tunnels: cafe, db, mail and 1 more", "holdfast restart --rolling --all"},
	} {
		for _, verb := range verbs {
			if out := run(c.names, verb...); !strings.Contains(out, c.which) || !strings.Contains(out, c.toType) {
				t.Errorf("%s does not say %q and %q: %s", verb, c.which, c.toType, out)
			}
		}
	}
	if out := run(nil, "status", "web"); !strings.Contains(out, "holdfast restart --rolling web") {
		t.Errorf("status web: %s", out)
	}
	for _, verb := range []string{"status", "version", "list"} {
		type tunnels []struct {
			Name    string
			Version string `json:"worker_version"`
		}
		var all struct{ Tunnels tunnels }
		text := run(nil, "--json", verb)
		err := json.Unmarshal([]byte(text), &all)
		if verb == "list" {
			err = json.Unmarshal([]byte(text), &all.Tunnels)
		}
		var old []string
		for _, t := range all.Tunnels {
			if t.Version == "0.8.9" {
				old = append(old, t.Name)
			}
		}
		if err != nil || !slices.Equal(old, []string{"cafe", "db", "mail", "web"}) {
			t.Errorf("--json %s: %v run version 0.8.9 (%v)", verb, old, err)
		}
	}
}
