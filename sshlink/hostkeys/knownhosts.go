package hostkeys

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/holdfast/holdfast/internal/text"
	"github.com/holdfast/holdfast/sshlink/config"
)

// marker is the optional first word of a line, see sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.
type marker string

const (
	noMarker      marker = ""
	certAuthority marker = "@cert-authority"
	revoked       marker = "@revoked"
)

// Line is one line of a known_hosts file that is about the host asked for.
type Line struct {
	marker marker
	Key    ssh.PublicKey
	File   string
	Number int
}

// Place is "file:line".
func (k Line) Place() string { return fmt.Sprintf("%s:%d", k.File, k.Number) }

// Lines are the lines about one host, in the order of the files.
type Lines []Line

// readKnownHosts collects the lines about the host name from the files. A file that does not exist
// is empty. A line that cannot be read is logged and skipped.
func readKnownHosts(files []string, name string, log *slog.Logger) Lines {
	var found Lines
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) {
				log.Warn("known_hosts file cannot be read", "file", file, "err", err)
			}
			continue
		}
		found = append(found, readKnownLines(f, file, name, log)...)
		f.Close()
	}
	return found
}

// readKnownLines reads lines of any length. A line that cannot be read does not affect the others.
func readKnownLines(in io.Reader, file, name string, log *slog.Logger) Lines {
	var found Lines
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			log.Warn("known_hosts file read in part only", "file", file, "line", number, "err", err)
			return found
		}
		k, about, bad := parseKnownLine(strings.TrimSuffix(line, "\n"), name)
		if bad != nil {
			log.Warn("known_hosts line skipped", "file", file, "line", number, "err", bad)
		} else if about {
			k.File, k.Number = file, number
			found = append(found, k)
		}
		if err != nil {
			return found
		}
	}
}

// parseKnownLine reads one line: [marker] hosts keytype key [comment]. The second result says
// whether the line is about the host. The key is read only if it is.
func parseKnownLine(line, name string) (Line, bool, error) {
	var k Line
	line = strings.Trim(line, " \t\r")
	if line == "" || line[0] == '#' {
		return k, false, nil
	}
	word, rest := cutWord(line)
	if word[0] == '@' {
		switch k.marker = marker(word); k.marker {
		case certAuthority, revoked:
		default:
			return k, false, fmt.Errorf("unknown marker %q", text.FromPeer(word))
		}
		word, rest = cutWord(rest)
	}
	about, err := matchHosts(word, name)
	if err != nil || !about {
		return k, false, err
	}
	keyType, rest := cutWord(rest)
	encoded, _ := cutWord(rest)
	if encoded == "" {
		return k, false, errors.New("no key in it")
	}
	blob, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return k, false, fmt.Errorf("key: %w", err)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return k, false, fmt.Errorf("key: %w", err)
	}
	if key.Type() != keyType {
		return k, false, fmt.Errorf("it says %s, its key is %s", text.FromPeer(keyType), key.Type())
	}
	k.Key = key
	return k, true, nil
}

func cutWord(s string) (word, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// matchHosts says whether the hosts field of a line matches a name. The field is a hash, or
// patterns with * and ?. If a pattern with ! in front matches, the line does not.
func matchHosts(field, name string) (bool, error) {
	if field == "" {
		return false, errors.New("no host in it")
	}
	if strings.HasPrefix(field, "|") {
		return matchHashed(field, name)
	}
	return config.MatchList(strings.Split(strings.ToLower(field), ","), name), nil
}

// matchHashed compares with |1|SALT|HMAC-SHA1(SALT, NAME), as HashKnownHosts writes it.
func matchHashed(field, name string) (bool, error) {
	parts := strings.Split(field, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return false, errors.New("hashed host of an unknown form")
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return false, fmt.Errorf("hashed host: salt: %w", err)
	}
	sum, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false, fmt.Errorf("hashed host: %w", err)
	}
	return subtle.ConstantTimeCompare(sum, hashHost(salt, name)) == 1, nil
}

func hashHost(salt []byte, name string) []byte {
	mac := hmac.New(sha1.New, salt)
	io.WriteString(mac, name)
	return mac.Sum(nil)
}

// revokes returns the @revoked line with the key, or with the key of the authority that signed it.
func (ks Lines) revokes(key ssh.PublicKey) (Line, bool) {
	cert, isCertificate := key.(*ssh.Certificate)
	return ks.find(func(k Line) bool {
		return k.marker == revoked && (Same(k.Key, Plain(key)) || isCertificate && Same(k.Key, cert.SignatureKey))
	})
}

// authority returns the @cert-authority line with the key.
func (ks Lines) authority(key ssh.PublicKey) (Line, bool) {
	return ks.find(func(k Line) bool { return k.marker == certAuthority && Same(k.Key, key) })
}

// with returns the first line with the key, whatever its marker.
func (ks Lines) with(key ssh.PublicKey) (Line, bool) {
	return ks.find(func(k Line) bool { return Same(k.Key, key) })
}

// has says whether a line has the key.
func (ks Lines) has(key ssh.PublicKey) bool {
	_, ok := ks.with(key)
	return ok
}

func (ks Lines) find(is func(Line) bool) (Line, bool) {
	if i := slices.IndexFunc(ks, is); i >= 0 {
		return ks[i], true
	}
	return Line{}, false
}

// HasAuthority says whether a line has the marker @cert-authority.
func (ks Lines) HasAuthority() bool {
	return slices.ContainsFunc(ks, func(k Line) bool { return k.marker == certAuthority })
}

// HasType says whether a line without a marker has a key of the type.
func (ks Lines) HasType(keyType string) bool {
	return slices.ContainsFunc(ks, func(k Line) bool { return k.marker == noMarker && k.Key.Type() == keyType })
}

// plain are the lines without a marker.
func (ks Lines) plain() Lines {
	return slices.DeleteFunc(slices.Clone(ks), func(k Line) bool { return k.marker != noMarker })
}
