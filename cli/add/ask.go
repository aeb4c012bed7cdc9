package add

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/tunnelfile"
)

// errLeft says that the person ended the questions. Nothing has been written by then.
var errLeft = advice.Error{Err: errors.New("nothing was added")}

// byAsking makes a tunnel from a person's answers. Nothing is written before the last yes.
func byAsking(s *session.Session, up func(*session.Session, string) error) error {
	q := &questions{out: s.Out}
	plan, err := askPlan(s, q)
	if err != nil {
		return err
	}
	content, err := fileOf(plan.start, plan.arguments)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "\nThis is %s%s:\n\n", plan.name, tunnelfile.Suffix)
	for line := range strings.Lines(content) {
		fmt.Fprint(os.Stderr, "    "+line)
	}
	fmt.Fprintf(os.Stderr, "\nThe same with ssh: ssh -N %s\n\n", strings.Join(plan.shellWords(), " "))
	yes, err := q.yes("Make it and start it?", true)
	if err != nil {
		return err
	}
	if !yes {
		return errLeft
	}
	if err := fromArguments(s, plan.name, plan.start, "", plan.arguments); err != nil || plan.start == tunnelfile.StartOnDemand {
		return err
	}
	return up(s, plan.name)
}

// plan is the tunnel that the answers describe.
type plan struct {
	name      string
	start     tunnelfile.StartMode
	arguments []string // what would follow ssh -N
}

func (p plan) shellWords() (words []string) {
	for _, a := range p.arguments {
		words = append(words, tunnelfile.ShellWord(a))
	}
	return words
}

// askPlan asks for the destination, the purpose, the ports, the start mode and the name.
func askPlan(s *session.Session, q *questions) (p plan, err error) {
	q.say("These questions make a tunnel. Enter takes the answer in brackets. Ctrl-C ends it, and nothing is stored.")
	var destination string
	for destination == "" || strings.HasPrefix(destination, "-") {
		if destination, err = q.ask("Where to? user@host, or a Host of ssh_config (Tab completes)", "", words(verb.Hosts())); err != nil {
			return p, err
		}
	}
	what, err := q.choose("What for?", "use a service of the server, or one behind it, here", "use a service of this machine on the server", "a proxy (SOCKS): programs here reach what the server reaches")
	if err != nil {
		return p, err
	}
	forward, err := askForward(s, q, what, destination)
	if err != nil {
		return p, err
	}
	starts := []tunnelfile.StartMode{tunnelfile.StartAuto, tunnelfile.StartManual, tunnelfile.StartOnDemand}
	whens := []string{"always, from now on", "only after holdfast up", "when somebody here connects to its port"}
	if what == 1 { // for a remote forward nobody connects here, so on demand makes no sense
		starts, whens = starts[:2], whens[:2]
	}
	when, err := q.choose("When should it be up?", whens...)
	if err != nil {
		return p, err
	}
	name := freeName(s, destination)
	for {
		if p.name, err = q.ask("What is its name?", name, nil); err != nil {
			return p, err
		}
		if tunnelfile.ValidName(p.name) {
			break
		}
		q.say("A name is letters, digits, dots, dashes and underscores, and begins with a letter or a digit.")
	}
	p.start, p.arguments = starts[when], append(forward, destination)
	return p, nil
}

// askForward asks for the ports or unix sockets. It returns -L, -R or -D with its value.
func askForward(s *session.Session, q *questions, what int, destination string) ([]string, error) {
	switch what {
	case 1:
		here, err := q.target("Which port does it have here? Or the path of a socket", nil)
		if err != nil {
			return nil, err
		}
		there, err := q.listen("Which port should it have on the server?", portOf(here))
		return []string{"-R", there + ":" + here}, err
	case 2:
		here, err := q.port("Which port should the proxy have here?", "1080")
		return []string{"-D", here}, err
	}
	var found []string
	if look, err := q.yes("Log in once, to see what listens there?", false); err != nil {
		return nil, err
	} else if look {
		found = sayListening(s, q, destination)
	}
	there, err := q.target("Which port does it have there? Or host:port behind the server, or the path of a socket", found)
	if err != nil {
		return nil, err
	}
	here, err := q.listen("Which port should it have here?", offerHere(destination, there))
	return []string{"-L", here + ":" + there}, err
}

// portOf is the port to offer for the other end. It is "" below 1024, where only root may listen.
func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	if isPath(address) {
		_, port, _ = strings.Cut(filepath.Base(address), ".s.PGSQL.")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1024 {
		return ""
	}
	return port
}

// offerHere is what to offer as the local end: a port, or for a unix socket a path in the runtime
// directory that no local service uses.
func offerHere(destination, there string) string {
	port, dir := portOf(there), os.Getenv("XDG_RUNTIME_DIR")
	if port != "" || !isPath(there) || dir == "" {
		return port
	}
	return filepath.Join(dir, hostOf(destination)+"-"+filepath.Base(there))
}

// hostOf makes a tunnel's name from a destination's host: its first label, or an IP address as a whole.
func hostOf(destination string) string {
	_, host, _ := tunnelfile.DestinationParts(destination)
	if net.ParseIP(host) == nil {
		host, _, _ = strings.Cut(host, ".")
	}
	if !tunnelfile.ValidName(host) {
		return "tunnel"
	}
	return host
}

// freeName makes a name from the destination that no tunnel has yet.
func freeName(s *session.Session, destination string) string {
	host := hostOf(destination)
	name := host
	for n := 2; slices.Contains(words(verb.TunnelNames(s, nil)), name); n++ {
		name = fmt.Sprintf("%s-%d", host, n)
	}
	return name
}

func words(candidates []verb.Word) (words []string) {
	for _, c := range candidates {
		words = append(words, c.Word)
	}
	return words
}
