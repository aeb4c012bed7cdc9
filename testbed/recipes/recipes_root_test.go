//go:build testbed

package recipes

import (
	"errors"
	"fmt"
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

// world is the machine of a person who follows a recipe, with the servers that it names. The network's
// other host has what the pages call internal: nothing else listens on its ports.
type world struct {
	*testing.T
	person testbed.Tester
	dir    string          // where root runs commands
	server *testbed.Server // every host but ca.example and those behind the network

	network *testbed.Network
	home    *testbed.Card
}

// names are the hosts of the pages, beside their addresses. All servers listen on port 22.
const names = `
127.0.0.1 bastion.example home.example gate.example server.example
127.0.0.3 ca.example
127.0.0.4 relay.example
192.0.2.1 nas.example db.internal wiki.internal
`

func TestRecipes(t *testing.T) {
	testbed.NeedRootBox(t)
	testbed.Need(t, "nc", "curl", "ssh-keyscan")
	w := newWorld(t)
	for _, page := range pages {
		t.Run(page, func(t *testing.T) {
			w := &world{t, w.person, t.TempDir(), w.server, w.network, w.home}
			t.Cleanup(w.clear)
			check := w.stage(page)
			found, err := read(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range found {
				w.do(page, b)
			}
			check()
		})
	}
}

func newWorld(t *testing.T) *world {
	person, err := testbed.LookupTester()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, person: person}
	testbed.Command(t, "../../packaging/install", "/usr/local")
	w.as("systemctl", "--user", "daemon-reload")
	w.as("busctl", "--user", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	w.write("/etc/hosts", string(hosts)+names, 0o644)
	for _, account := range []string{"me", "ec2-user"} {
		testbed.Command(t, "useradd", "--create-home", "--password", "*", account)
	}
	w.server = testbed.StartServer(t, testbed.ServerOptions{User: "me", Port: 22})
	w.network = testbed.NewNetwork(t)
	w.home = w.network.AddCard("home-5g")
	w.network.EchoOn(5432)
	w.network.EchoOn(80)
	testbed.Echo(t, "tcp", "127.0.0.1:80")
	testbed.Echo(t, "tcp", "127.0.0.1:3000")
	for _, owner := range []struct {
		home     string
		uid, gid int
	}{{person.Home, person.UID, person.GID}, {"/home/me", 0, 0}} {
		key := filepath.Join(owner.home, ".ssh/id_ed25519")
		testbed.Command(t, "install", "-d", "-m", "700", filepath.Dir(key))
		testbed.Command(t, "cp", w.server.IdentityFile, w.server.IdentityFile+".pub", filepath.Dir(key))
		testbed.Command(t, "mv", filepath.Join(filepath.Dir(key), "identity"), key)
		testbed.Command(t, "mv", filepath.Join(filepath.Dir(key), "identity.pub"), key+".pub")
		testbed.Command(t, "chown", "-R", fmt.Sprintf("%d:%d", owner.uid, owner.gid), filepath.Dir(key))
	}
	w.know(w.server, "bastion.example", "home.example", "gate.example", "server.example", "ssh.example.com", "i-0123456789abcdef0", "build-1")
	return w
}

// know records a server's host key in the person's known_hosts, under each of its names.
func (w *world) know(s *testbed.Server, hosts ...string) {
	w.Helper()
	w.feed("cat >>~/.ssh/known_hosts", strings.Join(hosts, ",")+" "+s.HostKeys[0].AuthorizedKey()+"\n")
}

// as runs a command of the person's, which must succeed.
func (w *world) as(argv ...string) string {
	w.Helper()
	return testbed.Command(w, w.person.Argv(argv...)...)
}

// feed is as for a shell command with this on its standard input.
func (w *world) feed(command, text string) {
	w.Helper()
	argv := w.person.Argv("bash", "-c", command)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func (w *world) write(path, text string, mode os.FileMode) {
	w.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.Fatal(err)
	}
}

// program puts a stand-in for a program into the PATH.
func (w *world) program(name, text string) {
	w.Helper()
	path := filepath.Join("/usr/local/bin", name)
	w.write(path, "#!/bin/bash\n"+text, 0o755)
	w.Cleanup(func() { os.Remove(path) })
}

// do does what a block says.
func (w *world) do(page string, b block) {
	w.Helper()
	rest, home := strings.CutPrefix(b.path, "~/")
	switch {
	case home:
		w.feed("mkdir -p ~/"+filepath.Dir(rest)+" && cat >~/"+rest, b.text)
	case b.path != "":
		path := filepath.Join(w.dir, b.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.Fatal(err)
		}
		w.write(path, b.text, 0o644)
	default:
		argv, dir := []string{"bash", "-euo", "pipefail", "-c", b.text}, w.dir
		if !b.root {
			argv, dir = w.person.Argv(argv...), w.person.Home
		}
		if out, err := testbed.Output(append([]string{"env", "-C", dir}, argv...)...); err != nil {
			w.Fatalf("%s.md:%d: %v\n%s", page, b.line, err, out)
		}
	}
}

// clear takes away the tunnels of a page.
func (w *world) clear() {
	if w.Failed() {
		out, _ := testbed.Output(w.person.Argv("journalctl", "--user", "--no-pager", "-o", "cat", "-n", "60", "-u", "holdfastd", "-u", "holdfast-tunnel@*")...)
		w.Logf("journal:\n%s", out)
	}
	testbed.Output(w.person.Argv("systemctl", "--user", "stop", "holdfastd", "holdfast-tunnel@*")...)
	testbed.Output(w.person.Argv("systemctl", "--user", "reset-failed")...)
	for _, dir := range []string{filepath.Join(w.person.Home, ".config/holdfast"), filepath.Join(w.person.RuntimeDir, tunnelfile.RuntimeDirName)} {
		if err := os.RemoveAll(dir); err != nil {
			w.Error(err)
		}
	}
}

// await waits until a tunnel's unit, or the daemon for it, says something that begins so.
func (w *world) await(name, want string) {
	w.Helper()
	testbed.WaitFor(w, 20*time.Second, func() error {
		out, err := testbed.Output(w.person.Argv("holdfast", "status", name)...)
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			return fmt.Errorf("%s is not %q: %v\n%s", name, want, err, out)
		}
		return nil
	})
}

// echoes sees that what is sent to an address comes back.
func (w *world) echoes(address string) {
	w.Helper()
	if err := testbed.EchoAt(address, 1<<16, 20*time.Second); err != nil {
		w.Fatal(err)
	}
}

// echoesFor is echoes for a process of the person's; arguments are those of nc.
func (w *world) echoesFor(argument string) {
	w.Helper()
	if got := w.as("bash", "-c", "echo hello | nc -N -w 10 "+argument); got != "hello\n" {
		w.Errorf("nc %s: %q", argument, got)
	}
}

// stage makes what a page finds when somebody begins, and returns what is to be so when its
// blocks were done.
func (w *world) stage(page string) (check func()) {
	switch page {
	case "database":
		return w.database
	case "socket":
		return w.socket()
	case "browser":
		return w.browser
	case "laptop":
		return func() { w.echoes("127.0.0.1:8080") }
	case "networks":
		return w.networks()
	case "proxycommands":
		return w.proxyCommands()
	case "certificates":
		return w.certificates()
	case "headless":
		return w.headless()
	case "container":
		return w.container()
	}
	w.Fatalf("nobody knows what %s.md is to come to", page)
	return nil
}

func (w *world) database() {
	w.echoesFor("localhost 5432")
	testbed.WaitFor(w, 20*time.Second, func() error { // until the tunnel has read its file again
		if err := testbed.EchoAt("127.0.0.1:5432", 1, 20*time.Second); !errors.Is(err, syscall.ECONNRESET) {
			return fmt.Errorf("root is not refused: %v", err)
		}
		return nil
	})
}

func (w *world) socket() func() {
	const there = "/run/signald/signald.sock"
	if err := os.MkdirAll(filepath.Dir(there), 0o755); err != nil {
		w.Fatal(err)
	}
	testbed.Echo(w, "unix", there)
	if err := os.Chmod(there, 0o666); err != nil {
		w.Fatal(err)
	}
	return func() {
		here := filepath.Join(w.person.RuntimeDir, "signald.sock")
		testbed.WaitFor(w, 20*time.Second, func() error {
			info, err := os.Stat(here)
			if err == nil && info.Mode().Perm() != 0o660 {
				err = fmt.Errorf("its mode is %v", info.Mode())
			}
			return err
		})
		w.await("signald", "listening")
		w.echoesFor("-U " + here)
	}
}

func (w *world) browser() {
	w.await("proxy", "listening")
	conn, err := testbed.DialSOCKS("tcp", "127.0.0.1:1080", "wiki.internal:80")
	if err != nil {
		w.Fatal(err)
	}
	testbed.CheckEcho(w, conn, 1<<16, 20*time.Second)
}

func (w *world) networks() func() {
	server := testbed.StartServer(w, testbed.ServerOptions{Netns: w.network.Netns, Addr: w.network.Host, User: "me", Port: 22})
	server.Authorize(w.server.Identity.AuthorizedKey())
	w.know(server, "nas.example")
	return func() {
		w.await("nas", "up: 1 forward")
		w.await("mail", "up: 1 forward")
		cafe := w.network.AddCard("cafe")
		w.await("mail", "offline [rule]: NeverOn=cafe*: on 'cafe' now")
		w.await("nas", "up: 1 forward")
		w.home.Down()
		w.await("nas", "offline [rule]: OnlyOn=home*: on 'cafe' now")
		out, err := testbed.Output(w.person.Argv("holdfast", "up", "nas")...)
		if err == nil || !strings.Contains(out, "OnlyOn=home*") {
			w.Errorf("up overrules it: %v %s", err, out)
		}
		w.home.Up()
		w.await("nas", "up: 1 forward")
		cafe.Down()
		w.await("mail", "up: 1 forward")
	}
}

func (w *world) proxyCommands() func() {
	standIn := func(name, arguments string) {
		w.program(name, fmt.Sprintf("[ \"$*\" = '%s' ] || { echo \"%s: usage: $*\" >&2; exit 64; }\nexec nc 127.0.0.1 22\n", arguments, name))
	}
	standIn("cloudflared", "access ssh --hostname ssh.example.com")
	standIn("aws", "ssm start-session --target i-0123456789abcdef0 --document-name AWS-StartSSHSession --parameters portNumber=22")
	const gcloud = "compute start-iap-tunnel build-1 22 --listen-on-stdin --project=my-project --zone=europe-west1-b"
	standIn("gcloud", gcloud)
	return func() {
		for _, port := range []string{"8081", "8082", "8083"} {
			w.echoes("127.0.0.1:" + port)
		}
		if environment := w.as("systemctl", "--user", "show", "-p", "Environment", tunnelfile.ServiceName("orders")); !strings.Contains(environment, "AWS_PROFILE=work") {
			w.Errorf("its environment: %s", environment)
		}
		w.program("gcloud", "echo 'Reauthentication required.' >&2\nexit 1\n")
		w.server.KillSessions(syscall.SIGKILL)
		w.await("build", "Reauthentication required.")
		w.await("build", "retrying [")
		standIn("gcloud", gcloud)
		w.await("build", "up: 1 forward")
	}
}

func (w *world) certificates() func() {
	authority := testbed.NewKey(w, filepath.Join(w.dir, "authority"), "ed25519", "")
	public := authority.File + ".pub"
	for _, path := range []string{filepath.Dir(w.dir), w.dir} {
		if err := os.Chmod(path, 0o755); err != nil {
			w.Fatal(err)
		}
	}
	if err := os.Chown(authority.File, w.person.UID, w.person.GID); err != nil {
		w.Fatal(err)
	}
	server := testbed.StartServer(w, testbed.ServerOptions{Addr: "127.0.0.3", Port: 22, User: "me", Config: []string{"TrustedUserCAKeys " + public}})
	w.know(server, "ca.example")
	vault := func(validity string) {
		w.program("vault", fmt.Sprintf(`[ "$*" = 'write -field=signed_key ssh-client-signer/sign/me public_key=@id_ed25519.pub valid_principals=me' ] || exit 64
dir=$(mktemp -d)
cp id_ed25519.pub "$dir/key.pub"
ssh-keygen -q -s %s -I me -n me -V %s "$dir/key.pub"
cat "$dir/key-cert.pub"
`, authority.File, validity))
	}
	vault("+1h")
	return func() {
		w.echoes("127.0.0.1:8084")
		vault("-2h:-1h")
		w.as("systemctl", "--user", "start", "renew-ssh-certificate.service")
		w.echoes("127.0.0.1:8084") // the link outlives the certificate
		server.KillSessions(syscall.SIGKILL)
		w.await("deploy", "blocked [denied]")
		vault("+1h")
		w.as("systemctl", "--user", "start", "renew-ssh-certificate.service")
		w.await("deploy", "up: 1 forward")
		w.echoes("127.0.0.1:8084")
	}
}

// headless is one machine and its relay in one: the relay's sshd is set as the page says.
func (w *world) headless() func() {
	found, err := read("headless")
	if err != nil {
		w.Fatal(err)
	}
	for _, b := range found {
		if b.path != "" {
			w.do("headless", b)
		}
	}
	config := []string{"AuthorizedKeysFile .ssh/authorized_keys", "Include " + w.dir + "/etc/ssh/sshd_config.d/*.conf"}
	relay := testbed.StartServer(w, testbed.ServerOptions{Addr: "127.0.0.4", Port: 22, User: "fleet", Config: config})
	testbed.Command(w, "bash", "-c", "systemd-sysusers && systemd-tmpfiles --create holdfast.conf && systemctl daemon-reload && systemctl reload dbus")
	w.Cleanup(func() {
		testbed.Output("bash", "-c", "holdfast --system remove reach; systemctl disable --now holdfastd")
	})
	return func() {
		port := strings.TrimSpace(testbed.Command(w, "bash", "-c", "echo $((20000 + 0x$(head -c 4 /etc/machine-id) % 10000))"))
		login := func() error {
			// What answers is the machine's own sshd, on port 22 of localhost.
			if got, err := testbed.Output("ssh-keyscan", "-t", "ed25519", "-p", port, "127.0.0.1"); err != nil || !strings.Contains(got, strings.Fields(w.server.HostKeys[0].AuthorizedKey())[1]) {
				return fmt.Errorf("port %s of the relay: %q, %v", port, got, err)
			}
			return nil
		}
		if err := login(); err != nil {
			w.Error(err)
		}
		for _, more := range [][]string{{"true"}, {"-N", "-R", "12345:localhost:22"}, {"-W", "localhost:22"}} {
			argv := append([]string{"runuser", "-u", "holdfast", "--", "ssh", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "fleet@relay.example"}, more...)
			if out, err := testbed.Output(argv...); err == nil || strings.Contains(out, "Permission denied (") {
				w.Errorf("the key does %q: %v %s", more, err, out)
			}
		}
		relay.KillSessions(syscall.SIGKILL)
		testbed.WaitFor(w, 20*time.Second, login)
	}
}

// container has a podman that runs the worker with the image's user, folders and environment.
func (w *world) container() func() {
	pid := filepath.Join(w.dir, "pid")
	w.program("podman", `set -e
[ "$1" = run ]; shift
mounts=()
while :; do
	case $1 in
	-v) mounts+=("$2"); shift 2 ;;
	-p | --name) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
shift # the image
export mounts_="${mounts[*]}"
setsid unshare --mount bash -ec '
	for m in $mounts_; do
		IFS=: read -r from to _ <<<"$m"
		mkdir -p "$to"
		mount --bind "$from" "$to"
	done
	install -d -o 65532 /run/holdfast
	exec setpriv --reuid 65532 --regid 65532 --clear-groups --bounding-set=-all env -i PATH=/nowhere \
		HOME=/home/holdfast XDG_RUNTIME_DIR=/run/holdfast /usr/local/bin/holdfast-tunnel "$@"' - "$@" </dev/null >/dev/null 2>"`+w.dir+`/log" &
echo $! >`+pid+`
`)
	w.Cleanup(func() {
		testbed.Output("bash", "-c", "kill $(cat "+pid+")")
		if log, _ := os.ReadFile(filepath.Join(w.dir, "log")); w.Failed() {
			w.Logf("the worker logged:\n%s", log)
		}
	})
	return func() { w.echoes("127.0.0.1:5432") }
}
