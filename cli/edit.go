package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/holdfast/holdfast/cli/advice"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/tunnelfile"
)

func editVerb() verb {
	return verb{
		name: "edit", args: "NAME", group: making,
		summary: "open a tunnel's file in your editor",
		about: `
The editor is $VISUAL or $EDITOR. A text with mistakes is not stored: they are shown, and the editor
can be opened again. What was typed is never lost. It is said beforehand where a text can only be
put in force by restarting the unit.`,
		examples: []example{
			{"holdfast edit web", "edit the file of web"},
			{"EDITOR=nano holdfast edit web", "likewise, with nano"},
		},
		setup: plain((*session).edit),
		words: oneName,
	}
}

// edit opens a copy of a tunnel's file in the person's editor and stores it when it is
// well. What was typed is never lost: a copy that could not be stored is kept.
func (s *session) edit(args []string) error {
	name, err := one(args)
	if err != nil {
		return err
	}
	client, err := s.daemon()
	if err != nil {
		return err
	}
	ctx, cancel := s.call()
	defer cancel()
	t, err := s.editableOne(ctx, client, name)
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
	stored, err := s.editUntilWell(client, t, copied)
	switch {
	case err == nil && !stored:
		s.out.line("Nothing changed.")
	case err == nil && s.json:
		ctx, cancel := s.call()
		defer cancel()
		if t, err = client.Tunnel(ctx, name); err == nil {
			err = s.out.json(tunnelsAsJSON([]listing.Tunnel{t}), false)
		}
	case err == nil:
		s.out.line("Wrote %s", text.Tilde(t.FilePath))
	default:
		return advice.Error{Err: err, Hint: "your text is kept in " + copied}
	}
	if removeErr := os.RemoveAll(dir); err == nil {
		err = removeErr
	}
	return err
}

// editUntilWell runs the editor until the text is well and stored, or the same as before,
// or the person gives up.
func (s *session) editUntilWell(client *dbusapi.Client, t listing.Tunnel, copied string) (stored bool, err error) {
	for {
		if err := s.runEditor(copied); err != nil {
			return false, err
		}
		content, err := os.ReadFile(copied)
		if err != nil {
			return false, err
		}
		if string(content) == t.Text {
			return false, nil
		}
		err = s.store(client, t, string(content))
		if err == nil {
			return true, nil
		}
		var problems tunnelfile.Problems
		if errors.As(err, &problems) {
			lines := strings.Split(string(content), "\n")
			for _, p := range problems {
				p.Path = ""
				s.out.note("%s", text.Printable(p.Error()))
				if p.Line > 0 && p.Line <= len(lines) {
					s.out.note("    %s", text.Printable(lines[p.Line-1]))
				}
			}
			err = fmt.Errorf("%s is not changed: %s with the text", text.Tilde(t.FilePath), text.Count(len(problems), "problem"))
		} else {
			message, _ := s.explain(err)
			s.out.note("%s", text.Printable(message))
		}
		if !s.again() {
			return false, err
		}
	}
}

// store stores the text, unless somebody else changed the file meanwhile.
func (s *session) store(client *dbusapi.Client, before listing.Tunnel, content string) error {
	ctx, cancel := s.call()
	defer cancel()
	now, err := s.editableOne(ctx, client, before.Name)
	if err != nil {
		return err
	}
	if now.Text != before.Text && now.Text != content {
		return fmt.Errorf("%s was changed by somebody else meanwhile", text.Tilde(now.FilePath))
	}
	s.sayCuts(before.Name, content)
	return client.UpdateTunnel(ctx, before.Name, content)
}

// again asks whether to go back to the editor; without a terminal it is no.
func (s *session) again() bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return false
	}
	s.out.prompt("Edit again? [Y/n] ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	s.out.answered(false)
	return err == nil && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "n")
}

// runEditor runs the person's editor as git and sudoedit do: by the shell, so that it may
// have arguments.
func (s *session) runEditor(file string) error {
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
