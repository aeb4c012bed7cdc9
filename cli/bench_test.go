package cli_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/dbusapi/apitest"
)

// BenchmarkMany is what verbs take with 300 tunnels, the start of the program included:
// go test ./cli -run '^$' -bench Many
func BenchmarkMany(b *testing.B) {
	const many = 300
	b.Setenv("DBUS_SESSION_BUS_ADDRESS", apitest.Bus(b))
	backend := apitest.NewBackend()
	apitest.Serve(b, backend)
	home := b.TempDir()
	b.Setenv("HOME", home)
	b.Setenv("XDG_CONFIG_HOME", "")
	text := func(i int) string {
		return fmt.Sprintf("[Tunnel]\nDestination=me@server\nLocalForward=%d:db.internal:5432\nTags=work\n", 10000+i)
	}
	fill := func(b *testing.B) {
		for i := range many {
			name := fmt.Sprint("tunnel-", i)
			write(b, home, ".config/holdfast/"+name+".tunnel", text(i))
			_ = backend.AddTunnel(b.Context(), name, text(i)) // it may be there
		}
	}
	fill(b)
	for _, command := range []string{"list", "list -o wide", "status", "--json status", "complete -- up ''", "complete -- up @"} {
		b.Run(strings.ReplaceAll(command, " ", "_"), func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.Command("holdfast", strings.Fields(command)...).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
	b.Run("remove", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fill(b)
			b.StartTimer()
			if out, err := exec.Command("holdfast", "remove", "tunnel-*").CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
		}
	})
}
