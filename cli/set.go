package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
	"github.com/holdfast/holdfast/tunnelfile"
)

func setVerb() verb.Verb {
	return verb.Verb{
		Name: "set", Args: "NAME… KEY=VALUE…", Group: verb.Making,
		Summary: "change keys in tunnel files; comments and order stay",
		About: `
KEY is a key of [Tunnel], or SECTION.KEY, as in SSH.ServerAliveInterval=5; see holdfast.tunnel(5).
A key that is given several times has all these values. A key without a value is removed.

If several tunnels are named, all are checked before the first is changed.`,
		Examples: []verb.Example{
			{Command: "holdfast set web RemoteForward=8080:localhost:80", Does: "web has this one remote forward from now on"},
			{Command: "holdfast set @work SSH.ServerAliveInterval=5 Metered=no", Does: "two settings in all tunnels with the tag work"},
		},
		Setup: verb.Plain(set),
		Words: verb.WordsToSet,
	}
}

// set changes keys in the files of tunnels.
func set(s *session.Session, args []string) error {
	isChange := func(arg string) bool { return strings.Contains(arg, "=") }
	first := slices.IndexFunc(args, isChange)
	if first < 0 {
		return advice.Misuse{Message: "nothing to set: give KEY=VALUE after the names (KEY= removes a key)"}
	}
	names, changes := args[:first], args[first:]
	if i := slices.IndexFunc(changes, func(arg string) bool { return !isChange(arg) }); i >= 0 {
		return advice.Misuse{Message: changes[i] + " is not KEY=VALUE (KEY= removes a key)"}
	}
	_, err := setAll(s, names, changes)
	return err
}

// changed is a tunnel and the new text of its file.
type changed struct {
	listing.Tunnel
	text string
}

// setAll changes keys in the files of all matching tunnels. If one text would have errors, no file is changed.
func setAll(s *session.Session, patterns, changes []string) ([]listing.Tunnel, error) {
	client, found, err := s.Editable(patterns)
	if err != nil {
		return nil, err
	}
	all := make([]changed, len(found))
	for i, t := range found {
		all[i].Tunnel = t
		if all[i].text, err = change(t.Text, changes); err != nil {
			return nil, err
		}
	}
	if len(all) > 1 {
		for _, c := range all {
			problems, err := client.CheckTunnel(s.Ctx, c.Name, c.text)
			if err != nil {
				return nil, err
			}
			if len(problems) > 0 {
				return nil, session.Blame(problems, "", text.Tilde(c.FilePath))
			}
		}
	}
	for _, c := range all {
		if err := checkSSH(s, c, changes); err != nil {
			return nil, err
		}
	}
	for _, c := range all {
		if err := setOne(s, client, c); err != nil {
			return nil, err
		}
	}
	if !s.JSON {
		return found, nil
	}
	for i := range found {
		if found[i], err = client.Tunnel(s.Ctx, found[i].Name); err != nil {
			return nil, err
		}
	}
	return found, s.Out.JSON(jsonout.TunnelsOf(found), false)
}

// checkSSH has ssh(1) read the changed settings of [SSH], which the daemon does not check. Mistakes that
// were there before are no reason to refuse a change.
func checkSSH(s *session.Session, c changed, changes []string) error {
	sets := func(key string) bool {
		prefix := strings.ToLower(tunnelfile.SectionSSH + "." + key)
		return slices.ContainsFunc(changes, func(c string) bool { return strings.HasPrefix(strings.ToLower(c), prefix) })
	}
	if !sets("") {
		return nil
	}
	t, err := s.Dirs().LoadAs(c.Name, c.text)
	if err != nil {
		return nil // the daemon reports it when the text is stored
	}
	_, err = config.Resolve(s.Ctx, config.Of(t))
	problem, ok := errors.AsType[tunnelfile.Problem](err)
	if !ok || !sets(problem.Key+"=") {
		return nil
	}
	problem.Path = text.Tilde(c.FilePath)
	return tunnelfile.Problems{problem}
}

// setOne stores the new text of one tunnel.
func setOne(s *session.Session, client *dbusapi.Client, c changed) error {
	if c.text == c.Text {
		if !s.JSON {
			s.Out.Line("Nothing changed: %s has these values already", text.Tilde(c.FilePath))
		}
		return nil
	}
	err := client.UpdateTunnel(s.Ctx, c.Name, c.text)
	if problems, ok := errors.AsType[tunnelfile.Problems](err); ok {
		return session.Blame(problems, "", text.Tilde(c.FilePath))
	}
	if err == nil && !s.JSON {
		s.Out.Line("Wrote %s", text.Tilde(c.FilePath))
	}
	return err
}

// change applies KEY=VALUE… to the text of a tunnel file. KEY is a key of [Tunnel], or Section.KEY. A
// key given several times has all these values. A key without a value is removed.
func change(text string, changes []string) (string, error) {
	type key struct{ section, key string }
	values := make(map[key][]string)
	var order []key
	for _, c := range changes {
		name, value, ok := strings.Cut(c, "=")
		if !ok {
			return "", advice.Misuse{Message: fmt.Sprintf("%s is not KEY=VALUE (KEY= removes a key)", c)}
		}
		k := key{tunnelfile.SectionTunnel, name}
		if section, inSection, ok := strings.Cut(name, "."); ok {
			k = key{section, inSection}
		}
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
		if value != "" {
			values[k] = append(values[k], value)
		}
	}
	for _, k := range order {
		var err error
		if text, err = tunnelfile.Set(text, k.section, k.key, values[k]); err != nil {
			return "", err
		}
	}
	return text, nil
}
