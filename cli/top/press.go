package top

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// press is a pressed key, by its letter or name, or a mouse button and its position.
type press struct {
	key  string
	x, y int // of the mouse, from 0 at the top left
}

// Names of keys without a letter, and of mouse buttons.
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

// sequences are the keys' escape sequences after ESC, in xterm's normal and application mode.
var sequences = map[string]string{
	"[A": keyUp, "[B": keyDown, "[C": keyRight, "[D": keyLeft, "OA": keyUp, "OB": keyDown, "OC": keyRight, "OD": keyLeft,
	"[5~": keyPageUp, "[6~": keyPageDown, "[H": keyHome, "[F": keyEnd, "OH": keyHome, "OF": keyEnd,
	"[1~": keyHome, "[4~": keyEnd, "[7~": keyHome, "[8~": keyEnd,
}

// buttons are the mouse buttons in use, by xterm's numbers.
var buttons = map[int]string{0: mouseLeft, 64: mouseUp, 65: mouseDown}

// decode returns the first press in the bytes from a terminal and their number (pure). The number is 0
// if more bytes must come. last says that no more come, so ESC alone is a key. Unknown sequences give
// an empty press.
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
		if c := sent[i]; c >= 0x40 && c <= 0x7e { // a final byte, ECMA-48
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

// decodeMouse parses a mouse report in xterm's SGR mode (1006): "0;12;3M".
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
	if !ok || !strings.HasSuffix(sequence, "M") { // a final m is a release
		return press{}
	}
	return press{button, numbers[1] - 1, numbers[2] - 1}
}
