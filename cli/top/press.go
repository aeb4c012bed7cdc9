package top

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// press is a key that was pressed: its letter, or a name; or a button of the mouse, and where.
type press struct {
	key  string
	x, y int // of the mouse, from 0
}

// Names of keys and buttons that are no letters.
const (
	keyUp        = "↑"
	keyDown      = "↓"
	keyLeft      = "←"
	keyRight     = "→"
	keyPageUp    = "PgUp"
	keyPageDown  = "PgDn"
	keyHome      = "Home"
	keyEnd       = "End"
	keyEnter     = "Enter"
	keyEscape    = "Esc"
	keyBackspace = "Backspace"
	mouseLeft    = "click"
	mouseUp      = "wheel up"
	mouseDown    = "wheel down"
)

// sequences are what terminals send after ESC for such keys, in both of xterm's modes.
var sequences = map[string]string{
	"[A": keyUp, "[B": keyDown, "[C": keyRight, "[D": keyLeft, "OA": keyUp, "OB": keyDown, "OC": keyRight, "OD": keyLeft,
	"[5~": keyPageUp, "[6~": keyPageDown, "[H": keyHome, "[F": keyEnd, "OH": keyHome, "OF": keyEnd,
	"[1~": keyHome, "[4~": keyEnd, "[7~": keyHome, "[8~": keyEnd,
}

// buttons are those of the mouse that mean something.
var buttons = map[int]string{0: mouseLeft, 64: mouseUp, 65: mouseDown}

// decode is the first press in what a terminal sent, and how many bytes it takes (pure): 0 where
// its end is still to come. With last set no more comes, and Escape is a key. What means nothing
// is skipped.
func decode(sent []byte, last bool) (press, int) {
	if sent[0] != '\x1b' {
		return decodeLetter(sent, last)
	}
	if len(sent) == 1 {
		if last {
			return press{key: keyEscape}, 1
		}
		return press{}, 0
	}
	if sent[1] != '[' && sent[1] != 'O' {
		return press{key: keyEscape}, 1
	}
	for i := 2; i < len(sent); i++ {
		if c := sent[i]; c >= 0x40 && c <= 0x7e { // the end of a sequence, ECMA-48
			sequence := string(sent[1 : i+1])
			if strings.HasPrefix(sequence, "[<") {
				return decodeMouse(sequence[2:]), i + 1
			}
			return press{key: sequences[sequence]}, i + 1
		}
	}
	if last {
		return press{}, len(sent)
	}
	return press{}, 0
}

func decodeLetter(sent []byte, last bool) (press, int) {
	switch sent[0] {
	case '\r', '\n':
		return press{key: keyEnter}, 1
	case 0x7f, '\b':
		return press{key: keyBackspace}, 1
	}
	if !utf8.FullRune(sent) && !last {
		return press{}, 0
	}
	r, size := utf8.DecodeRune(sent)
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return press{}, size
	}
	return press{key: string(r)}, size
}

// decodeMouse reads what xterm sends in its mode 1006: "0;12;3M".
func decodeMouse(sequence string) press {
	var numbers [3]int
	for i, field := range strings.Split(sequence[:len(sequence)-1], ";") {
		n, err := strconv.Atoi(field)
		if err != nil || i >= len(numbers) {
			return press{}
		}
		numbers[i] = n
	}
	button, ok := buttons[numbers[0]]
	if !ok || !strings.HasSuffix(sequence, "M") { // m is where a button is let go
		return press{}
	}
	return press{button, numbers[1] - 1, numbers[2] - 1}
}
