//go:build packages

package release

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
)

// manifests is the program that decodes strictly, built once.
var manifests = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "manifests")
	_, err := output(filepath.Join(root, "testbed/manifests"), "go", "build", "-o", path, ".")
	return path, err
})

func decode(t testing.TB, args ...string) string {
	t.Helper()
	program, err := manifests()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, append([]string{program}, args...)...)
}

// overlay copies packaging/kubernetes and gives its overlays a key and host keys, which are not in git.
func overlay(t testing.TB, server *testbed.Server) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kubernetes")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "packaging/kubernetes"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"database", "sidecar"} {
		ssh := filepath.Join(dir, "overlays", name, "ssh")
		if err := os.Mkdir(ssh, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, from := range map[string]string{"id": server.IdentityFile, "known_hosts": server.KnownHosts} {
			content, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(filepath.Join(ssh, file), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestKubernetes renders the overlays and decodes them strictly.
func TestKubernetes(t *testing.T) {
	kustomize := tool(t, "kustomize")
	dir := overlay(t, testbed.StartServer(t, testbed.ServerOptions{}))
	// One with the component, as an overlay takes it.
	file := filepath.Join(dir, "overlays/database/kustomization.yaml")
	if err := appendTo(file, "components: [../../components/monitoring]\n"); err != nil {
		t.Fatal(err)
	}
	for name, kinds := range map[string][]string{
		"database": {"ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Secret", "Service", "ServiceMonitor"},
		"sidecar":  {"ConfigMap", "Deployment", "Secret"},
	} {
		rendered := filepath.Join(t.TempDir(), name+".yaml")
		run(t, kustomize, "build", filepath.Join(dir, "overlays", name), "-o", rendered)
		var got []string
		for line := range strings.Lines(decode(t, "kubernetes", rendered)) {
			got = append(got, strings.Fields(line)[0])
		}
		if slices.Sort(got); !slices.Equal(got, kinds) {
			t.Errorf("overlays/%s comes to %v, want %v", name, got, kinds)
		}
		tunnel := filepath.Join(dir, "overlays", name, "tunnel.tunnel")
		run(t, "bin/holdfast-tunnel", "--check", tunnel)
	}
	decode(t, "rules", "packaging/monitoring/holdfast.rules.yml", "packaging/kubernetes/components/monitoring/prometheusrule.yaml")
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// TestKubePlay runs the rendered Deployment, with traffic through it. podman knows no Service and
// no kubelet, so the Pod has this machine's network and no probe (podman would run curl in it). podman
// 4.3 does not decode a Secret and knows no fsGroup: a folder stands for the Secret's volume.
func TestKubePlay(t *testing.T) {
	needPodman(t)
	kustomize := tool(t, "kustomize")
	server := testbed.StartServer(t, testbed.ServerOptions{})
	dir := overlay(t, server)
	port, probes := testbed.FreePort(t), testbed.FreePort(t)
	name, err := image()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("[Tunnel]\nDestination=%s\nLocalForward=127.0.0.1:%d 127.0.0.1:%s\n[SSH]\nIdentityFile=/etc/holdfast/ssh/id\nUserKnownHostsFile=/etc/holdfast/ssh/known_hosts\nStrictHostKeyChecking=yes\n",
		server.Destination(), port, echoPort(t))
	if err := os.WriteFile(filepath.Join(dir, "overlays/database/tunnel.tunnel"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	play := filepath.Join(dir, "overlays/play")
	if err := os.Mkdir(play, 0o755); err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndexByte(name, ':')
	kustomization := fmt.Sprintf(`resources: [../database]
images: [{name: ghcr.io/holdfast/holdfast, newName: %s, newTag: %s}]
patches:
  - target: {kind: Deployment}
    patch: |
      - {op: replace, path: /spec/replicas, value: 1}
      - {op: add, path: /spec/template/spec/hostNetwork, value: true}
      - {op: replace, path: /spec/template/spec/containers/0/args/1, value: "127.0.0.1:%d"}
      - {op: remove, path: /spec/template/spec/containers/0/ports}
      - {op: remove, path: /spec/template/spec/containers/0/livenessProbe}
      - {op: replace, path: /spec/template/spec/volumes/1, value: {name: ssh, hostPath: {path: %q}}}
`, name[:at], name[at+1:], probes, newVolumes(t, server).secret)
	if err := os.WriteFile(filepath.Join(play, "kustomization.yaml"), []byte(kustomization), 0o644); err != nil {
		t.Fatal(err)
	}
	rendered := filepath.Join(t.TempDir(), "play.yaml")
	run(t, kustomize, "build", play, "-o", rendered)
	decode(t, "kubernetes", rendered)
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := podmanCommand("logs", "tunnel-pod-0-tunnel").CombinedOutput()
			t.Logf("%s", out)
		}
		podmanCommand("kube", "down", rendered).Run()
		podmanCommand("volume", "rm", "-f", "tunnel").Run()
		secrets, _ := podmanCommand("secret", "ls", "--format", "{{.Name}}").Output()
		for name := range strings.FieldsSeq(string(secrets)) {
			if strings.HasPrefix(name, "tunnel-ssh-") {
				podmanCommand("secret", "rm", name).Run()
			}
		}
	})
	podman(t, "kube", "play", "--network=host", rendered)
	c := &container{TB: t, name: "tunnel-pod-0-tunnel", probes: fmt.Sprintf("127.0.0.1:%d", probes)}
	c.await("/readyz", http.StatusOK)
	testbed.CheckEcho(t, dial(t, port), 1<<20, 30*time.Second)
}

// TestBills: the bills of materials are SPDX, and name the modules.
func TestBills(t *testing.T) {
	decode(t, "spdx", built(t, "holdfast_*_amd64.spdx.json"), built(t, "holdfast_*_arm64.spdx.json"), built(t, "holdfast-tray_*_amd64.spdx.json"))
	bill, err := os.ReadFile(built(t, "holdfast_*_amd64.spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"golang.org/x/crypto", "github.com/godbus/dbus/v5", "stdlib"} {
		if !strings.Contains(string(bill), "pkg:golang/"+module+"@") {
			t.Errorf("the bill does not name %s", module)
		}
	}
}

// TestNix has nix read the flake's files, and make a tunnel file of options.
func TestNix(t *testing.T) {
	testbed.Need(t, "nix-instantiate")
	parsed, err := filepath.Glob(filepath.Join(root, "packaging/nix/*.nix"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(parsed, filepath.Join(root, "flake.nix")) {
		run(t, "nix-instantiate", "--parse", file)
	}
	// What nix says of its own set-up goes to standard error.
	quoted := run(t, "sh", "-c", "nix-instantiate --eval --strict testbed/release/testdata/tunnel.nix 2>/dev/null")
	var text string
	if err := json.Unmarshal([]byte(quoted), &text); err != nil {
		t.Fatal(err, quoted)
	}
	file := filepath.Join(t.TempDir(), "db.tunnel")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "bin/holdfast-tunnel", "--check", file)
	for _, line := range []string{"LocalForward=127.0.0.1:5432 db.internal:5432", "Start=on-demand", "Compression=no", "IdentityFile=~/.ssh/b", "MemoryMax=64M"} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("lacks %s:\n%s", line, text)
		}
	}
}

// TestNixModules evaluates what both modules make of a configuration.
func TestNixModules(t *testing.T) {
	testbed.Need(t, "nix-instantiate")
	var made map[string]string
	if err := json.Unmarshal([]byte(run(t, "sh", "-c", "nix-instantiate --eval --strict --json testbed/release/testdata/modules.nix 2>/dev/null")), &made); err != nil {
		t.Fatal(err)
	}
	const holdfast = "/nix/store/holdfast"
	for name, want := range map[string]string{
		"packages": strings.Repeat(holdfast+" ", 3) + holdfast,
		"boot":     "multi-user.target", "login": holdfast + "/bin/holdfastd default.target", "account": "holdfast",
	} {
		if made[name] != want {
			t.Errorf("%s is %q, want %q", name, made[name], want)
		}
	}
	for _, name := range []string{"etc/holdfast/system/backup.tunnel", "config/holdfast/backup.tunnel"} {
		file := filepath.Join(t.TempDir(), "backup.tunnel")
		if err := os.WriteFile(file, []byte(made[name]), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, "bin/holdfast-tunnel", "--check", file)
		if !strings.Contains(made[name], "RemoteForward=2222 localhost:22\n") || !strings.Contains(made[name], "User=holdfast\n") {
			t.Errorf("%s:\n%s", name, made[name])
		}
	}
}

// expressions finds what a dashboard asks.
var expressions = regexp.MustCompile(`"expr": ("(?:[^"\\]|\\.)*")`)
