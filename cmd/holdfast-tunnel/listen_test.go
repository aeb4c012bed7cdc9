package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestListen is a plain user's tunnel as in a container: no XDG_RUNTIME_DIR, probes over TCP,
// and a file behind links of which one is exchanged, as clusters do it.
func TestListen(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "holdfast-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, config, temporary := filepath.Join(dir, "holdfast-tunnel"), filepath.Join(dir, "config"), filepath.Join(dir, "tmp")
	testbed.Command(t, "cp", os.Args[0], program)
	file := func(version, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(config, version), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(config, version, "t.tunnel"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(version, filepath.Join(config, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(config, "..new"), filepath.Join(config, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	const text = "[Tunnel]\nDestination=127.0.0.1\nLocalForward=/nowhere-%d:/x\n[SSH]\nPort=1\n"
	before := strings.Replace(fmt.Sprintf(text, 1), "/nowhere", filepath.Join(temporary, "s"), 1)
	after := strings.Replace(fmt.Sprintf(text, 2), "/nowhere", filepath.Join(temporary, "s"), 1)
	file("..1", before)
	if err := os.Symlink("..data/t.tunnel", filepath.Join(config, "t.tunnel")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(temporary, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o755, temporary: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}

	p := &process{t: t}
	addr := fmt.Sprintf("127.0.0.1:%d", testbed.FreePort(t))
	cmd := exec.Command(program, "--listen", addr, filepath.Join(config, "t.tunnel"))
	cmd.Env = []string{asProgram + "=1", "HOME=" + temporary, "TMPDIR=" + temporary, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	cmd.Stderr = p
	uid := os.Getuid()
	if uid == 0 {
		uid = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	p.StartCommand(cmd)
	get := func(path string) (int, string, error) {
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Get("http://" + addr + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	listens := func(want string) {
		t.Helper()
		testbed.WaitFor(t, 20*time.Second, func() error {
			_, body, err := get("/status")
			if err != nil {
				return err
			}
			var r tunnelfile.Report
			if err := json.Unmarshal([]byte(body), &r); err != nil {
				return err
			}
			if r.Name != "t" || len(r.Forwards) != 1 || !strings.HasSuffix(r.Forwards[0].Listen, want) {
				return fmt.Errorf("%+v", r)
			}
			return nil
		})
	}
	listens("s-1")
	if status, body, err := get("/livez"); err != nil || status != 200 {
		t.Errorf("/livez: %d %s, %v", status, body, err)
	}
	if status, body, err := get("/readyz"); err != nil || status != 503 {
		t.Errorf("/readyz: %d %s, %v", status, body, err)
	}
	if status, body, err := get("/metrics"); err != nil || status != 200 || !strings.HasSuffix(body, "# EOF\n") {
		t.Errorf("/metrics: %d %s, %v", status, body, err)
	}
	socket := filepath.Join(temporary, fmt.Sprintf("holdfast-%d", uid), "t.sock")
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d", uid)); err != nil { // which is the place, where there is one
		if _, err := os.Stat(socket); err != nil {
			t.Error(err)
		}
	}
	file("..2", after)
	listens("s-2")
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
}

// TestListenInUse: probes that nobody could reach are told at the start.
func TestListenInUse(t *testing.T) {
	taken := testbed.Echo(t, "tcp", "127.0.0.1:0").String()
	p := newProgram(t, "")
	p.SetFile("[Tunnel]\nDestination=127.0.0.1\nLocalForward=" + filepath.Join(p.Runtime, "x") + ":/x\n[SSH]\nPort=1\n")
	p.StartCommand(p.command(nil, "--listen", taken, p.Path))
	p.Ends(1)
	if !strings.Contains(p.Log(), "--listen "+taken) || !strings.Contains(p.Log(), "address already in use") {
		t.Error(p.Log())
	}
}
