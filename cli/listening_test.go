package cli

import (
	"fmt"
	"testing"
)

// TestListening: what ss, netstat and /proc/net/tcp print, as they printed it.
func TestListening(t *testing.T) {
	for out, want := range map[string]string{
		"LISTEN 0      128        127.0.0.1:5432      0.0.0.0:*\nLISTEN 0      4096            [::]:22         [::]:*\n":                                                         "[22 5432]",
		"Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address Foreign Address State\ntcp 0 0 0.0.0.0:80 0.0.0.0:* LISTEN\ntcp6 0 0 :::80 :::* LISTEN\n": "[80]",
		"  sl  local_address rem_address   st tx_queue\n   0: 0100007F:1538 00000000:0000 0A 00000000:00000000\n   1: 0100007F:1539 0100007F:9999 01 00000000:00000000\n":        "[5432]",
		"bash: line 1: no\nLISTEN a b c:\n": "[]",
	} {
		if got := fmt.Sprint(listening(out)); got != want {
			t.Errorf("%q: %s, want %s", out, got, want)
		}
	}
}
