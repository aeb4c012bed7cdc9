package tunnelfile

import (
	"strings"
	"testing"
)

func TestCheckDestination(t *testing.T) {
	for text, parts := range map[string][3]string{
		"host":                        {"", "host", ""},
		"me@host":                     {"me", "host", ""},
		"me@corp.example@host":        {"me@corp.example", "host", ""},
		"198.51.100.2":                {"", "198.51.100.2", ""},
		"me@2001:db8::1":              {"me", "2001:db8::1", ""},
		"ssh://host":                  {"", "host", ""},
		"ssh://me@host:2222":          {"me", "host", "2222"},
		"SSH://me@host:2222/":         {"me", "host", "2222"},
		"ssh://me@[2001:db8::1]:2222": {"me", "2001:db8::1", "2222"},
		"ssh://[2001:db8::1]":         {"", "2001:db8::1", ""},
		"ssh://me%40corp@host":        {"me@corp", "host", ""},
		"my-alias_1":                  {"", "my-alias_1", ""},
		`DOMAIN\me@host`:              {`DOMAIN\me`, "host", ""},
	} {
		if why := CheckDestination(text); why != "" {
			t.Errorf("%q %s", text, why)
		}
		if user, host, port := DestinationParts(text); [3]string{user, host, port} != parts {
			t.Errorf("%q is of %q, %q, %q", text, user, host, port)
		}
	}
	for text, want := range map[string]string{
		"":                     "is empty",
		"-oProxyCommand=x":     "begins with -",
		"me@-oProxyCommand=x":  "host that begins with -",
		"[-oProxyCommand=x]":   "host that begins with -",
		"me@[]":                "no host",
		"-me@host":             "begins with -",
		"ssh://-oX=y":          "host that begins with -",
		"ssh://-me@host":       "user that begins with -",
		"ssh://me@-host":       "host that begins with -",
		"me@host -p 22":        "blank",
		"me@host:2222":         "write ssh://me@host:2222",
		"host:22":              "write ssh://host:22",
		"@host":                "no user",
		"me@":                  "no host",
		"ssh://":               "no host",
		"ssh://me@":            "no host",
		"ssh://@host":          "no user",
		"ssh://host:99999":     "port 99999",
		"ssh://host:0":         "port 0",
		"ssh://host:":          "no port",
		"ssh://host/path":      "behind",
		"ssh://me:secret@host": "password",
		"ssh://2001:db8::1":    "brackets",
		"ssh://[host]":         "no IPv6 address",
		"ssh://[::1]x":         "between ] and the port",
		"ssh://me%0a@host":     "percent-encoded",
		"ssh://me%2@host":      "percent-encoded",
		"http://host":          "only ssh://",
		"a\x01b":               "control character",
		"a;b":                  "shell",
		"me@$(id)":             "shell",
		"`id`@host":            "shell",
		"me@a,b":               "shell",
	} {
		if why := CheckDestination(text); !strings.Contains(why, want) {
			t.Errorf("%q: %q, want something about %q", text, why, want)
		}
	}
}

func FuzzDestination(f *testing.F) {
	for _, s := range []string{"me@host", "ssh://me@[::1]:22", "-x", "ssh://-x", "a@b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if CheckDestination(text) != "" {
			return
		}
		user, host, _ := DestinationParts(text)
		if strings.HasPrefix(text, "-") || strings.HasPrefix(user, "-") || strings.HasPrefix(host, "-") || host == "" {
			t.Errorf("%q is taken: user %q, host %q", text, user, host)
		}
		if strings.ContainsAny(user+host, "'`\"$;&<>|(){}\n\x00") {
			t.Errorf("%q is taken: a shell would mind it", text)
		}
	})
}
