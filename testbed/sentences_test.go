package testbed

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// readers are the functions of package strings that read meaning out of a text.
var readers = []string{
	"Contains", "ContainsAny", "HasPrefix", "HasSuffix", "Cut", "CutPrefix", "CutSuffix", "Index", "LastIndex",
	"EqualFold", "Split", "SplitN", "Fields", "Count",
}

// sentencesRead are functions, by file and name, that read a sentence all the same, and why. The list gets shorter;
// who adds to it says why there is no type, field or Reason to go by.
var sentencesRead = map[string]string{
	"dial.go cause":               "x/crypto/ssh puts its own words before the cause, untyped",
	"dial.go explain":             "x/crypto/ssh has no type for the server's last words",
	"lost.go LostError":           "x/crypto/ssh has no type for the server's last words",
	"mastererror.go connectError": "ssh(1) says in words why it could not connect",
	"events.go withoutDelay":      "journals have the delay in the sentence",
}

// TestSentencesAreForPeople: nobody reads meaning out of an error's text or a tunnel's Status.
// A Reason, a type or a field carries it.
func TestSentencesAreForPeople(t *testing.T) {
	found := make(map[string]bool)
	eachFile(t, func(rel string, parsed *ast.File) {
		for _, name := range readingSentences(parsed) {
			found[filepath.Base(rel)+" "+name] = true
		}
	})
	for where := range found {
		if sentencesRead[where] == "" {
			t.Errorf("%s reads meaning out of a sentence: go by a Reason, a type or a field", where)
		}
	}
	for where := range sentencesRead {
		if !found[where] {
			t.Logf("%s reads no sentence any more: take it off the list", where) // no error: who mends one need not know of this list
		}
	}
}

// commands are what an error says where it tells a person what to type. The next step comes from the Reason.
var commands = regexp.MustCompile(`[;:,] run:? |\bthen run |\bholdfast (--system )?[a-z]+ (%|NAME)|\bsudo |\bsystemctl |\bchmod |\bssh-(keygen|keyscan|copy-id) -|\bssh-add `)

// TestErrorsNameNoCommands: an error says what happened. A face that has buttons shows it too, so what to
// type stands in the command line's hints and in the mends of check.
func TestErrorsNameNoCommands(t *testing.T) {
	eachFile(t, func(rel string, parsed *ast.File) {
		if strings.HasPrefix(rel, "cli/") {
			return
		}
		for _, message := range errorMessages(parsed) {
			if commands.MatchString(message) {
				t.Errorf("%s: %s names a command", rel, message)
			}
		}
	})
}

// errorMessages are the texts of the errors that a file makes.
func errorMessages(file *ast.File) (messages []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || !isCallOf(call, "fault", "New", "Wrap", "Because") && !isCallOf(call, "fmt", "Errorf") && !isCallOf(call, "errors", "New") {
			return true
		}
		for _, arg := range call.Args {
			ast.Inspect(arg, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					messages = append(messages, text.Value)
				}
				return true
			})
		}
		return true
	})
	return messages
}

// eachFile calls f with each file of Go that is no test, and with its path from the root.
func eachFile(t *testing.T, f func(rel string, parsed *ast.File)) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && file != root || entry.Name() == "testdata" || file == filepath.Join(root, "bin") || file == filepath.Join(root, "testbed")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err == nil {
			f(filepath.ToSlash(rel), parsed)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readingSentences are the functions of a file that read an error's text or a Status.
func readingSentences(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		sentences := map[string]bool{"status": true} // variables and parameters that hold one
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
				for i, value := range a.Rhs {
					if name, ok := a.Lhs[i].(*ast.Ident); ok && isSentence(value, sentences) {
						sentences[name.Name] = true
					}
				}
			}
			return true
		})
		reads := false
		ast.Inspect(f.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if ok && len(call.Args) > 0 && isCallOf(call, "strings", readers...) && isSentence(call.Args[0], sentences) {
				reads = true
			}
			return true
		})
		if reads {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// isSentence says whether a value is an error's text, or a Status, also in lower case.
func isSentence(e ast.Expr, sentences map[string]bool) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return isSentence(e.X, sentences)
	case *ast.Ident:
		return sentences[e.Name]
	case *ast.SelectorExpr:
		return e.Sel.Name == "Status"
	case *ast.CallExpr:
		if s, ok := e.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Error" && len(e.Args) == 0 {
			return true
		}
		return len(e.Args) == 1 && isCallOf(e, "strings", "ToLower", "ToUpper", "TrimSpace") && isSentence(e.Args[0], sentences)
	}
	return false
}

// isCallOf says whether a call is of one of these functions of a package.
func isCallOf(call *ast.CallExpr, pkg string, names ...string) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(names, s.Sel.Name) {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// TestReadingSentencesIsSeen keeps TestSentencesAreForPeople honest.
func TestReadingSentencesIsSeen(t *testing.T) {
	for body, want := range map[string]bool{
		`return strings.Contains(err.Error(), "refused")`:                         true,
		`return strings.HasPrefix(strings.ToLower(t.Status), "needs")`:            true,
		`s := t.Status; before, _, _ := strings.Cut(s, ":"); return before == ""`: true,
		`return strings.Contains(name, "x")`:                                      false,
		`return strings.Contains("is it "+err.Error(), "x")`:                      false,
		`return t.Reason == "denied"`:                                             false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() bool {"+body+"}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(readingSentences(file)) > 0; got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}
