package session

import "testing"

func TestAsRoot(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--system", "up", "web"}, "sudo holdfast --system up web"},
		{[]string{"set", "--system", "web", "Description=it's web"}, `sudo holdfast --system set web 'Description=it'\''s web'`},
		{[]string{"--json", "restart", "-system", "db-*"}, "sudo holdfast --system --json restart 'db-*'"},
	} {
		if got := (&Session{Args: test.args}).AsRoot(); got != test.want {
			t.Errorf("%q: %s, want %s", test.args, got, test.want)
		}
	}
}
