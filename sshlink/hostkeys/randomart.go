package hostkeys

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Randomart draws a key's SHA-256 fingerprint as ssh-keygen -lv does: a bishop walks diagonally
// over a board, two bits of the sum for each step.
func Randomart(key ssh.PublicKey) string {
	const width, height = 17, 9
	const symbols = " .o+=*BOX@%&#/^SE"
	var board [height][width]int
	x, y := width/2, height/2
	sum := sha256.Sum256(key.Marshal())
	for _, b := range sum {
		for range 4 {
			x = min(max(x+int(b&1)*2-1, 0), width-1)
			y = min(max(y+int(b>>1&1)*2-1, 0), height-1)
			if board[y][x] < len(symbols)-3 {
				board[y][x]++
			}
			b >>= 2
		}
	}
	board[height/2][width/2] = len(symbols) - 2 // S: where it started
	board[y][x] = len(symbols) - 1              // E: where it ended

	var out bytes.Buffer
	out.WriteString(border("["+keyTitle(key)+"]", width))
	for _, row := range board {
		out.WriteByte('|')
		for _, v := range row {
			out.WriteByte(symbols[v])
		}
		out.WriteString("|\n")
	}
	out.WriteString(border("[SHA256]", width))
	return out.String()
}

func border(title string, width int) string {
	left := (width - len(title)) / 2
	return "+" + strings.Repeat("-", left) + title + strings.Repeat("-", width-left-len(title)) + "+\n"
}

// keyTitle is a key's kind and size, as ssh-keygen prints it: "ED25519 256", "RSA 3072".
func keyTitle(key ssh.PublicKey) string {
	if key.Type() == ssh.KeyAlgoRSA {
		return fmt.Sprintf("RSA %d", RSABits(key))
	}
	return cmp.Or(map[string]string{
		ssh.KeyAlgoED25519: "ED25519 256", ssh.KeyAlgoSKED25519: "ED25519-SK 256", ssh.KeyAlgoSKECDSA256: "ECDSA-SK 256",
		ssh.KeyAlgoECDSA256: "ECDSA 256", ssh.KeyAlgoECDSA384: "ECDSA 384", ssh.KeyAlgoECDSA521: "ECDSA 521",
	}[key.Type()], "KEY")
}
