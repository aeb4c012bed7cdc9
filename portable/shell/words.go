package shell

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// fields expands a word into fields, as a shell does.
func (r *Script) fields(word *syntax.Word) []string {
	if words, ok := r.array(word); ok {
		return words
	}
	r.removeUnknown(word)
	fields, err := expand.Fields(&expand.Config{Env: r.Vars}, word)
	if err != nil {
		r.meet(word)
	}
	return fields
}

// removeUnknown removes the parts of a word whose value is not known, and passes them to meet.
func (r *Script) removeUnknown(word *syntax.Word) {
	remove := func(parts []syntax.WordPart) []syntax.WordPart {
		for i, part := range parts {
			if program := lookedUp(part); program != "" {
				parts[i] = &syntax.Lit{ValuePos: part.Pos(), ValueEnd: part.End(), Value: program}
			}
		}
		return slices.DeleteFunc(parts, func(part syntax.WordPart) bool {
			if p, ok := part.(*syntax.ParamExp); ok && p.Param != nil && r.Vars[p.Param.Value] != "" && hasDefault(p) {
				p.Exp = nil // the default is not used
			}
			known := r.knows(part)
			if !known {
				r.meet(part)
			}
			return !known
		})
	}
	syntax.Walk(word, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Word:
			node.Parts = remove(node.Parts)
		case *syntax.DblQuoted:
			node.Parts = remove(node.Parts)
		}
		return true
	})
}

// knows says whether the value of a word's part is known, apart from the words inside it.
func (r *Script) knows(part syntax.WordPart) bool {
	switch part := part.(type) {
	case *syntax.Lit, *syntax.SglQuoted, *syntax.DblQuoted:
		return true
	case *syntax.ParamExp:
		if part.Param == nil || part.NestedParam != nil || part.Index != nil || part.Slice != nil || part.Excl || part.Width || part.IsSet {
			return false
		}
		if part.Exp != nil && part.Exp.Word != nil && slices.ContainsFunc(part.Exp.Word.Parts, r.isQuotedBlank) {
			return false // package expand would split it
		}
		_, set := r.Vars[part.Param.Value]
		return hasDefault(part) || set && (part.Exp == nil || part.Exp.Op != syntax.OtherParamOps)
	}
	return false
}

// lookedUp is the PROGRAM of $(which PROGRAM) or $(command -v PROGRAM); "" for other parts.
func lookedUp(part syntax.WordPart) string {
	subst, ok := part.(*syntax.CmdSubst)
	if !ok || len(subst.Stmts) != 1 {
		return ""
	}
	call, ok := subst.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) < 2 {
		return ""
	}
	if first := call.Args[0].Lit(); first != "which" && first != "command" && first != "type" {
		return ""
	}
	return call.Args[len(call.Args)-1].Lit()
}

// isQuotedBlank says whether a part is quoted and contains a blank.
func (r *Script) isQuotedBlank(part syntax.WordPart) bool {
	_, unquoted := part.(*syntax.Lit)
	return !unquoted && strings.ContainsAny(r.spelled(part), " \t\n")
}

// hasDefault says whether the expression has a default: ${NAME:-default}, ${NAME-…}, ${NAME:=…} or ${NAME=…}.
func hasDefault(p *syntax.ParamExp) bool {
	defaults := []syntax.ParExpOperator{syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AssignUnset, syntax.AssignUnsetOrNull}
	return p.Exp != nil && slices.Contains(defaults, p.Exp.Op)
}

// meet records a part whose value is not known, in r.unknown.
func (r *Script) meet(node syntax.Node) {
	if r.unknown == "" {
		first, _, more := strings.Cut(r.spelled(node), "\n")
		if more {
			first += "…"
		}
		r.unknown = first
	}
}

// spelled is the source text of a node.
func (r *Script) spelled(node syntax.Node) string {
	return r.text[node.Pos().Offset():node.End().Offset()]
}
