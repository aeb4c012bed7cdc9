package tray

import (
	"fmt"
	"strings"
)

// Dump returns a view as text, for people without a panel: one item a line, the items of a submenu
// indented.
func Dump(v View) string {
	var b strings.Builder
	fmt.Fprintf(&b, "icon: %s\n", v.Icon)
	dump(&b, v.Items, "")
	return b.String()
}

func dump(b *strings.Builder, items []Item, indent string) {
	for _, item := range items {
		switch {
		case item.Kind == Separator:
			fmt.Fprintf(b, "%s---\n", indent)
		case item.Kind == Submenu:
			fmt.Fprintf(b, "%s%s >\n", indent, item.Label)
			dump(b, item.Items, indent+"    ")
		case item.Kind == Check:
			fmt.Fprintf(b, "%s[%s] %s\n", indent, map[bool]string{true: "x", false: " "}[item.Checked], item.Label)
		case item.Disabled:
			fmt.Fprintf(b, "%s(%s)\n", indent, item.Label)
		default:
			fmt.Fprintf(b, "%s%s\n", indent, item.Label)
		}
	}
}
