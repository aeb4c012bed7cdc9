package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/portable"
	"github.com/holdfast/holdfast/tunnelfile"
)

func renameVerb() verb.Verb {
	return verb.Verb{
		Name: "rename", Args: "OLD NEW", Group: verb.Making,
		Summary: "give a tunnel another name",
		About: `
The file and its drop-ins get the new name. A running tunnel is stopped, and started again under the
new name. Its journal and its history stay under the old name.`,
		Examples: []verb.Example{
			{Command: "holdfast rename web blog", Does: "the tunnel web is called blog from now on"},
			{Command: "sudo holdfast --system rename db db-old", Does: "the same for a tunnel of the system"},
		},
		Setup: verb.Plain(rename),
		Words: verb.OneName,
	}
}

func cloneVerb() verb.Verb {
	return verb.Verb{
		Name: "clone", Args: "NAME NEW [KEY=VALUE…]", Group: verb.Making,
		Summary: "copy a tunnel, with some keys changed",
		About: `
KEY=VALUE is as for holdfast set. If the new tunnel would listen on the same addresses as the old one,
it gets Start=manual, so that the two do not compete for them. If you set Start= here, that counts.`,
		Examples: []verb.Example{
			{Command: "holdfast clone db db2 LocalForward=5433:db2.internal:5432", Does: "db2 is like db, with a forward of its own"},
			{Command: "holdfast clone web test Destination=me@test", Does: "test is like web, but leads elsewhere; holdfast up test starts it"},
		},
		Setup: verb.Plain(clone),
		Words: verb.OneName,
	}
}

// rename gives a tunnel another name. The old file stays until the new one is stored.
func rename(s *session.Session, args []string) error {
	if len(args) != 2 {
		return advice.Misuse{Message: "which tunnel, and which new name? OLD NEW"}
	}
	old, name := args[0], args[1]
	client, t, err := s.EditableOne(old)
	if err != nil {
		return err
	}
	if err := mustBeFree(s, client, name); err != nil {
		return err
	}
	ran := t.State != tunnelfile.Inactive && t.State != ""
	if ran { // both would listen on the same addresses
		if err := client.Stop(s.Ctx, old); err != nil && !errors.Is(err, listing.ErrUnderWay) {
			return err
		}
	}
	err = moveTunnel(s, client, t, name)
	if err != nil {
		if ran {
			err = errors.Join(err, client.Start(s.Ctx, old))
		}
		return err
	}
	now := client.Stop
	if ran {
		now = client.Start
	}
	if err := now(s.Ctx, name); err != nil && !errors.Is(err, listing.ErrUnderWay) {
		return err
	}
	return s.Wrote(client, name)
}

// moveTunnel stores a tunnel under another name and removes the old one. If that fails, it restores
// what was there.
func moveTunnel(s *session.Session, client *dbusapi.Client, t listing.Tunnel, name string) error {
	dropIns := t.FilePath + ".d"
	moved := filepath.Join(filepath.Dir(t.FilePath), name+tunnelfile.Suffix+".d")
	if err := os.Rename(dropIns, moved); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := client.AddTunnel(s.Ctx, name, t.Text)
	if err == nil {
		if err = client.RemoveTunnel(s.Ctx, t.Name); err == nil {
			return nil
		}
		// A daemon that was killed may have removed it before it could answer. Then the new file is the only one.
		if _, old := client.Tunnel(s.Ctx, t.Name); errors.Is(old, listing.ErrNoSuchTunnel) {
			return nil
		} else if old != nil {
			return errors.Join(err, old)
		}
		err = errors.Join(err, client.RemoveTunnel(s.Ctx, name))
	}
	if back := os.Rename(moved, dropIns); !errors.Is(back, os.ErrNotExist) {
		err = errors.Join(err, back)
	}
	return err
}

// clone makes a tunnel like another one, with some keys changed.
func clone(s *session.Session, args []string) error {
	if len(args) < 2 {
		return advice.Misuse{Message: "which tunnel, and which name for the new one? NAME NEW"}
	}
	old, name, changes := args[0], args[1], args[2:]
	client, _, err := s.EditableOne(old)
	if err != nil {
		return err
	}
	content, err := merged(s, old)
	if err != nil {
		return err
	}
	changes, alike := cloneChanges(content, changes)
	if content, err = change(content, changes); err != nil {
		return err
	}
	if err := client.AddTunnel(s.Ctx, name, content); err != nil {
		return err
	}
	if alike && !s.JSON {
		s.Out.Note("%s listens on the same addresses as %s, so it has Start=manual", name, old)
	}
	return s.Wrote(client, name)
}

// cloneChanges adds Start=manual to the changes if the clone would listen on the same addresses. alike
// says whether it did.
func cloneChanges(content string, changes []string) (all []string, alike bool) {
	t, _ := tunnelfile.Parse("clone", "", content)
	sets := func(keys ...string) bool {
		return slices.ContainsFunc(changes, func(c string) bool {
			key, _, _ := strings.Cut(c, "=")
			return slices.Contains(keys, strings.TrimPrefix(key, tunnelfile.SectionTunnel+"."))
		})
	}
	listens := slices.ContainsFunc(t.Forwards, func(f tunnelfile.Forward) bool { return f.Kind != tunnelfile.RemoteForward })
	if !listens || sets("LocalForward", "DynamicForward", "Start") {
		return changes, false
	}
	return append(slices.Clone(changes), "Start="+string(tunnelfile.StartManual)), true
}

// merged is the text of a tunnel's file with its drop-ins merged in.
func merged(s *session.Session, name string) (string, error) {
	paths, err := s.Files(name)
	if err != nil {
		return "", err
	}
	if len(paths) == 1 {
		content, err := os.ReadFile(paths[0])
		return string(content), err
	}
	t, err := s.Dirs().Load(name)
	if err != nil {
		return "", err
	}
	content, _ := portable.Export(t, portable.Tunnel, portable.Around{System: s.System})
	return content, nil
}

// mustBeFree fails if the name is not valid or a tunnel has it already.
func mustBeFree(s *session.Session, client *dbusapi.Client, name string) error {
	if !tunnelfile.ValidName(name) {
		return fmt.Errorf("%w: %s", listing.ErrInvalidName, name)
	}
	_, err := client.Tunnel(s.Ctx, name)
	switch {
	case err == nil:
		return fmt.Errorf("%w: %s", listing.ErrTunnelExists, name)
	case errors.Is(err, listing.ErrNoSuchTunnel):
		return nil
	}
	return err
}
