//go:build packages

package release

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// TestAlerts: the rules make sense to promtool, and fire when they should.
func TestAlerts(t *testing.T) {
	testbed.Need(t, "promtool")
	t.Log(run(t, "promtool", "check", "rules", "packaging/monitoring/holdfast.rules.yml"))
	t.Log(run(t, "promtool", "test", "rules", "packaging/monitoring/holdfast.rules_test.yml"))
}

// TestMonitoring has a real Prometheus scrape a real tunnel: it is up, and every panel of the
// dashboard shows something; its server goes, and the alert is pending.
func TestMonitoring(t *testing.T) {
	testbed.Need(t, "prometheus")
	server := testbed.StartServer(t, testbed.ServerOptions{})
	port, probes := testbed.FreePort(t), fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	file := filepath.Join(t.TempDir(), "db.tunnel")
	text := fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d 127.0.0.1:%s\n[SSH]\n%s\n", server.Destination(), port, echoPort(t), strings.Join(server.SSHSettings(), "\n"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "bin/holdfast-tunnel", "--listen", probes, file)
	c := &container{TB: t, probes: probes}
	c.await("/readyz", http.StatusOK)
	testbed.CheckEcho(t, dial(t, port), 1<<16, 30*time.Second)

	p := prometheus{t, fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))}
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s/packaging/monitoring/holdfast.rules.yml]\nscrape_configs: [{job_name: holdfast, static_configs: [{targets: [%q]}]}]\n", root, probes)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "promtool", "check", "config", filepath.Join(dir, "prometheus.yml"))
	start(t, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+p.addr, "--log.level=warn")
	p.awaitResults(`sum(holdfast_state{holdfast_state="up"}) == 1`)

	dashboard, err := os.ReadFile(filepath.Join(root, "packaging/monitoring/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Fatal("dashboard.json is no JSON")
	}
	found := expressions.FindAllSubmatch(dashboard, -1)
	for _, match := range found {
		var expression string
		if err := json.Unmarshal(match[1], &expression); err != nil {
			t.Fatal(err)
		}
		p.awaitResults(strings.NewReplacer("$tunnel", ".*", "$__rate_interval", "10s").Replace(expression))
	}
	t.Logf("%d questions of the dashboard have an answer", len(found))

	server.Stop()
	p.awaitResults(`ALERTS{alertname="HoldfastTunnelDown",tunnel="db"}`)
}

// start runs a program in the checkout until the test ends.
func start(t testing.TB, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = root
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", argv[0], said.String())
		}
	})
}

type prometheus struct {
	testing.TB
	addr string
}

// awaitResults asks until there is an answer that is not empty.
func (p prometheus) awaitResults(query string) {
	p.Helper()
	testbed.WaitFor(p, 60*time.Second, func() error {
		response, err := http.Get("http://" + p.addr + "/api/v1/query?" + url.Values{"query": {query}}.Encode())
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var answer struct {
			Status, Error string
			Data          struct{ Result []json.RawMessage }
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return err
		}
		if answer.Status != "success" || len(answer.Data.Result) == 0 {
			return fmt.Errorf("%s: %s %s %v", query, answer.Status, answer.Error, answer.Data.Result)
		}
		return nil
	})
}
