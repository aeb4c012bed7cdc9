package add

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/session"
)

// listeningCommand prints what listens on a server, with ss, netstat or /proc/net/tcp, whichever it
// has. It also prints the unix sockets that the account may write to.
const listeningCommand = `sh -c 'ss -Htln 2>/dev/null || netstat -tln 2>/dev/null || cat /proc/net/tcp /proc/net/tcp6
while read -r _ _ _ flags type _ _ path; do
	case $flags$type$path in 000100000001/*) [ -w "$path" ] && echo "$path";; esac
done 2>/dev/null </proc/net/unix; true'`

// sayListening logs in with ssh(1), which asks its own questions, and shows what listens on the server.
// A failure is shown and otherwise ignored.
func sayListening(s *session.Session, q *questions, destination string) []string {
	ctx, cancel := context.WithCancel(s.Ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", "-T", "-o", "ClearAllForwardings=yes", "-o", "ConnectTimeout=15", "--", destination, listeningCommand)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	out, err := cmd.Output()
	found := listening(string(out))
	switch {
	case len(found) > 0:
		q.say("These listen there: %s", strings.Join(found, ", "))
	case err != nil:
		q.say("The server did not answer: %v", err)
	default:
		q.say("The server shows nothing that listens.")
	}
	return found
}

// listening returns the ports that ss, netstat or /proc/net/tcp printed, then the paths of unix sockets.
func listening(out string) []string {
	var ports []int
	var paths []string
	for line := range strings.Lines(out) {
		if path := strings.TrimSpace(line); strings.HasPrefix(path, "/") {
			if !slices.Contains(paths, path) && !ofMachine.MatchString(path) {
				paths = append(paths, path)
			}
			continue
		}
		if port := listeningPort(strings.Fields(line)); port > 0 && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	slices.Sort(paths)
	var found []string
	for _, port := range ports {
		found = append(found, strconv.Itoa(port))
	}
	return append(found, paths...)
}

// ofMachine matches unix sockets between parts of the system. Nobody makes a tunnel to them.
var ofMachine = regexp.MustCompile(`/systemd/|/dbus|/bus$|/ssh-|/s\.gpg-agent|/S\.|/\.X11-unix/|/\.ICE-unix/`)

// listeningPort is the port in a line of ss, netstat or /proc/net/tcp, or 0 if the line is not a
// listening socket.
func listeningPort(fields []string) int {
	if len(fields) < 4 {
		return 0
	}
	address, base := fields[3], 10
	if address == "0A" && strings.HasSuffix(fields[0], ":") { // /proc/net/tcp: LISTEN
		address, base = fields[1], 16
	} else if !slices.Contains(fields, "LISTEN") {
		return 0
	}
	port, err := strconv.ParseUint(address[strings.LastIndex(address, ":")+1:], base, 16)
	if err != nil {
		return 0
	}
	return int(port)
}
