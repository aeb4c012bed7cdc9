package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/cli/answer"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/cli/verb"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

func editVerb() verb.Verb {
	return verb.Verb{
		Name: "edit", Args: "NAME", Group: verb.Making,
		Summary: "open a tunnel's file in your editor",
		About: `
The editor is $VISUAL or $EDITOR. A text with mistakes is not stored: the mistakes are shown, and you
can open the editor again. Your text is never lost. If only a restart of the unit can apply a change,
a note says so first.`,
		Examples: []verb.Example{
			{Command: "holdfast edit web", Does: "edit the file of web"},
			{Command: "EDITOR=nano holdfast edit web", Does: "the same with nano"},
		},
		Setup: verb.Plain(verb.One(edit)),
		Words: verb.OneName,
	}
}

// edit opens a copy of a tunnel's file in the person's editor and stores the result. A copy that could
// not be stored is not deleted, so nothing typed is lost.
func edit(s *session.Session, name string) error {
	client, t, err := s.EditableOne(name)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "holdfast-edit-")
	if err != nil {
		return err
	}
	copied := filepath.Join(dir, name+tunnelfile.Suffix)
	if err := os.WriteFile(copied, []byte(t.Text), 0o600); err != nil {
		return err
	}
	stored, err := editUntilWell(s, client, t, copied)
	switch {
	case err == nil && !stored:
		s.Out.Line("Nothing changed.")
	case err == nil:
		err = s.Wrote(client, name)
	default:
		if content, readErr := os.ReadFile(copied); readErr != nil || string(content) != t.Text {
			return advice.Error{Err: err, Hint: "your text is kept in " + copied}
		}
	}
	return cmp.Or(err, os.RemoveAll(dir))
}

// editUntilWell runs the editor until the text is stored, is the same as before, or the person gives up.
func editUntilWell(s *session.Session, client *dbusapi.Client, t listing.Tunnel, copied string) (stored bool, err error) {
	for {
		if err := runEditor(s, copied); err != nil {
			return false, err
		}
		content, err := os.ReadFile(copied)
		if err != nil {
			return false, err
		}
		if string(content) == t.Text {
			return false, nil
		}
		err = store(s, client, t, string(content))
		if err == nil {
			return true, nil
		}
		if problems, ok := errors.AsType[tunnelfile.Problems](err); ok {
			lines := strings.Split(string(content), "\n")
			for _, p := range problems {
				p.Path = ""
				s.Out.Note("%s", text.Printable(p.Error()))
				if p.Line > 0 && p.Line <= len(lines) {
					s.Out.Note("    %s", text.Printable(lines[p.Line-1]))
				}
			}
			err = fmt.Errorf("%s is not changed: %s with the text", text.Tilde(t.FilePath), text.Count(len(problems), "problem"))
		} else {
			message, _ := s.Explain(err)
			s.Out.Note("%s", text.Printable(message))
		}
		if !askAgain(s) {
			return false, err
		}
	}
}

// store stores the text. It fails if somebody else has changed the file meanwhile.
func store(s *session.Session, client *dbusapi.Client, before listing.Tunnel, content string) error {
	_, now, err := s.EditableOne(before.Name)
	if err != nil {
		return err
	}
	if now.Text != before.Text && now.Text != content {
		return fmt.Errorf("%s was changed by somebody else meanwhile", text.Tilde(now.FilePath))
	}
	sayCuts(s, before.Name, content)
	return client.UpdateTunnel(s.Ctx, before.Name, content)
}

// askAgain asks whether to edit again. Without a terminal, or after Ctrl-C, the answer is no.
func askAgain(s *session.Session) bool {
	agent, ok := answer.AtTerminal(s)
	if !ok {
		return false
	}
	reply, err := agent.Ask(s.Ctx, "", "other", "Edit again? [Y/n]", true)
	return err == nil && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(reply)), "n")
}

// runEditor runs the person's editor through the shell, so that $EDITOR may have arguments, as git does.
func runEditor(s *session.Session, file string) error {
	editor := cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"))
	if editor == "" {
		editor = "vi"
		for _, program := range []string{"sensible-editor", "editor", "nano"} {
			if _, err := exec.LookPath(program); err == nil {
				editor = program
				break
			}
		}
	}
	cmd := exec.Command("sh", "-c", editor+` "$@"`, "sh", file)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %s: %w", editor, err)
	}
	return nil
}
