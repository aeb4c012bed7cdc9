package journalctl

import (
	"strings"
	"testing"
)

// TestExport: values of several lines, and what is cut off.
func TestExport(t *testing.T) {
	const entry = "__REALTIME_TIMESTAMP=7\nHOLDFAST_STATUS\n\x04\x00\x00\x00\x00\x00\x00\x00a\n=b\nSTRANGE=1\nHOLDFAST_STATE=up\n\n"
	var got []Entry
	read := func(export string) error {
		got = nil
		return Parse(strings.NewReader(export), func(e Entry) error { got = append(got, e); return nil })
	}
	if err := read(entry + entry); err != nil || len(got) != 2 || got[1].Status != "a\n=b" || got[1].Event.State != "up" || got[1].realtime != "7" {
		t.Errorf("%v: %+v", err, got)
	}
	for _, half := range []string{entry[:len(entry)-1], entry[:40], "MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xff", "x"} {
		if err := read(half); err == nil {
			t.Errorf("%q: %+v", half, got)
		}
	}
}
