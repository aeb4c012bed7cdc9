package add

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/tunnelfile"
)

func TestWithOwner(t *testing.T) {
	s := &session.Session{System: true}
	content := "[Tunnel]\nDestination=x\n"
	got, err := withOwner(s, "web", "root", content)
	if err != nil {
		t.Fatal(err)
	}
	if owned, problems := tunnelfile.Parse("web", "", got); len(problems) > 0 || len(owned.Service) != 1 || owned.User() != "root" {
		t.Errorf("%q: %v", got, problems)
	}
	if _, err := withOwner(s, "web", "nobody-of-that-name", content); err == nil || !strings.Contains(err.Error(), "nobody-of-that-name") {
		t.Errorf("an account that is not there: %v", err)
	}
}
