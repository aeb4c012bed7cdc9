//go:build testbed

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestMetrics: the numbers are those of the bytes that went through, of all tunnels at once.
func TestMetrics(t *testing.T) {
	d := newDesk(t)
	_, local := d.echoTunnel(t, "echo", "Start=manual\n")
	target := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	d.write("idle", fmt.Sprintf("[Tunnel]\nDestination=server\nStart=manual\nLocalForward=127.0.0.1:%d %s\n", testbed.FreePort(t), target))
	before := time.Now()
	d.holdfast("up", "echo")
	conn := dial(t, local)
	defer conn.Close()
	const sent = 3<<20 + 17
	testbed.CheckEcho(t, conn, sent, time.Minute)

	// A channel is open until both ways have ended.
	var families map[string]testbed.MetricFamily
	testbed.WaitFor(t, 10*time.Second, func() error {
		families = testbed.ParseOpenMetrics(t, d.holdfast("metrics"))
		if open, ok := families["holdfast_channels_open"].Value("tunnel=echo"); !ok || open != 0 {
			return fmt.Errorf("%v channels open, %v", open, ok)
		}
		return nil
	})
	for family, want := range map[string]float64{"holdfast_sent_bytes": sent, "holdfast_received_bytes": sent, "holdfast_channels": 1, "holdfast_reconnects": 0, "holdfast_forward_up": 1} {
		if got, ok := families[family].Value("tunnel=echo"); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", family, got, ok, want)
		}
		if got, ok := families[family].Value("tunnel=idle"); ok && got != 0 {
			t.Errorf("%s of a tunnel that does not run: %v", family, got)
		}
	}
	for tunnel, state := range map[string]string{"echo": "up", "idle": "inactive"} {
		if is, ok := families["holdfast_state"].Value("tunnel="+tunnel, "holdfast_state="+state); !ok || is != 1 {
			t.Errorf("%s is not %s: %v, %v", tunnel, state, is, ok)
		}
	}
	if since, ok := families["holdfast_up_since_seconds"].Value("tunnel=echo"); !ok || since < float64(before.Unix()) || since > float64(time.Now().Unix()+1) {
		t.Errorf("up since %v, %v; the test began at %v", since, ok, before.Unix())
	}
	if rtt, ok := families["holdfast_round_trip_seconds"].Value("tunnel=echo"); !ok || rtt <= 0 || rtt > 10 {
		t.Errorf("round trip %v, %v", rtt, ok)
	}
}
