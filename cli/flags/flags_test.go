package flags

import (
	"flag"
	"io"
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args []string
		rest []string
		err  string
	}{
		{[]string{"web", "-f", "-n", "20", "db"}, []string{"web", "db"}, ""},
		{[]string{"-fn20", "web"}, []string{"web"}, ""},
		{[]string{"-n20", "--wait=5s", "web"}, []string{"web"}, ""},
		{[]string{"--lines=20", "--", "-f"}, []string{"-f"}, ""},
		{[]string{"-"}, []string{"-"}, ""},
		{[]string{"--follw"}, nil, "no such flag: --follw; did you mean --follow?"},
		{[]string{"-x"}, nil, "no such flag: -x"},
		{[]string{"-n"}, nil, "-n needs a value"},
		{[]string{"-n", "many"}, nil, "-n many: not a number"},
		{[]string{"--wait=soon"}, nil, "--wait soon: not a time span, as 90s or 5m are"},
		{[]string{"--follow=maybe"}, nil, "--follow maybe: it takes no value"},
		{[]string{"--sort=nmae"}, nil, "--sort nmae: it is name or state (did you mean name?)"},
		{[]string{"web", "--help"}, nil, ErrHelp.Error()},
	} {
		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		f.Bool("follow", false, "go on")
		f.Int("lines", 0, "so many")
		f.Duration("wait", time.Second, "so long")
		OneOf(f, "sort", "name", []string{"name", "state"}, "by what")
		Alias(f, "f", "follow")
		Alias(f, "n", "lines")
		rest, err := Parse(f, c.args)
		if said := ""; err != nil {
			if said = err.Error(); said != c.err {
				t.Errorf("%q: %s, want %s", c.args, said, c.err)
			}
			continue
		}
		if c.err != "" || !slices.Equal(rest, c.rest) {
			t.Errorf("%q: %q, want %q %s", c.args, rest, c.rest, c.err)
		}
	}
}
