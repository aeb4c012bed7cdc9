package check

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cli/layout"
)

// TestTables: columns that come with tabs between them fit the terminal, and nothing is lost.
func TestTables(t *testing.T) {
	const content = "web goes to gateway\n\n[SSH]\n  HostName\tgateway.eu-central.example.internal\t~/.ssh/config:3\n  UpdateHostKeys\ttrue\tssh's default\tfurther keys are learned\n"
	for _, width := range []int{40, 60, 80, 120} {
		var shown strings.Builder
		for _, b := range tables(content) {
			if b.Table == nil {
				shown.WriteString(b.Text + "\n")
				continue
			}
			for _, line := range b.Table.Lines(width) {
				if line.Width() > width {
					t.Errorf("%d columns: %q", width, line)
				}
				shown.WriteString(layout.Look{}.Render(line) + "\n")
			}
		}
		squeezed := strings.Join(strings.Fields(shown.String()), "")
		for _, want := range []string{"webgoestogateway", "[SSH]", "HostName", "furtherkeysarelearned", "~/.ssh/config:3"} {
			if !strings.Contains(squeezed, want) {
				t.Errorf("%d columns: %s is lost:\n%s", width, want, shown.String())
			}
		}
	}
}
