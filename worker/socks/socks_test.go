package socks

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

func TestReadSOCKS(t *testing.T) {
	long := strings.Repeat("n", 255)
	for _, row := range []struct {
		name, in string
		want     Request
		answer   string // written on the way
		rest     string // left for the stream
		fails    bool
	}{
		{"4", "\x04\x01\x00\x50\x7f\x00\x00\x01me\x00rest", Request{"127.0.0.1", 80, 4}, "", "rest", false},
		{"4, address 0", "\x04\x01\x00\x50\x00\x00\x00\x00\x00", Request{"0.0.0.0", 80, 4}, "", "", false},
		{"4a", "\x04\x01\x01\xbb\x00\x00\x00\x01\x00example.org\x00rest", Request{"example.org", 443, 4}, "", "rest", false},
		{"4a, longest", "\x04\x01\x01\xbb\x00\x00\x00\x01" + long + "\x00" + long + "\x00", Request{long, 443, 4}, "", "", false},
		{"4 bind", "\x04\x02\x00\x50\x7f\x00\x00\x01\x00", Request{}, "\x00\x5b\x00\x00\x00\x00\x00\x00", "", true},
		{"4a without name", "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00", Request{}, "\x00\x5b\x00\x00\x00\x00\x00\x00", "", true},
		{"4 endless user", "\x04\x01\x00\x50\x7f\x00\x00\x01" + long + "n\x00", Request{}, "", "", true},
		{"5 IPv4", "\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x07\x1f\x90rest", Request{"10.0.0.7", 8080, 5}, "\x05\x00", "rest", false},
		{"5 IPv6", "\x05\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x16", Request{"::1", 22, 5}, "\x05\x00", "", false},
		{"5 name", "\x05\x02\x02\x00\x05\x01\x00\x03\x02db\x15\x38", Request{"db", 5432, 5}, "\x05\x00", "", false},
		{"5 empty name", "\x05\x01\x00\x05\x01\x00\x03\x00\x15\x38", Request{}, "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 name with a newline", "\x05\x01\x00\x05\x01\x00\x03\x03a\nb\x15\x38", Request{}, "\x05\x00\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 bind", "\x05\x01\x00\x05\x02\x00\x01\x0a\x00\x00\x07\x1f\x90", Request{}, "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 strange address", "\x05\x01\x00\x05\x01\x00\x09", Request{}, "\x05\x00\x05\x08\x00\x01\x00\x00\x00\x00\x00\x00", "", true},
		{"5 password only", "\x05\x01\x02", Request{}, "\x05\xff", "", true},
		{"5 without methods", "\x05\x00", Request{}, "\x05\xff", "", true},
		{"http", "GET / HTTP/1.1\r\n", Request{}, "", "", true},
		{"cut short", "\x05\x01\x00\x05\x01", Request{}, "\x05\x00", "", true},
		{"nothing", "", Request{}, "", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := bufio.NewReaderSize(strings.NewReader(row.in), bufferSize)
			var answer bytes.Buffer
			got, err := readSOCKS(r, &answer)
			if (err != nil) != row.fails {
				t.Fatalf("error %v", err)
			}
			if answer.String() != row.answer {
				t.Errorf("answered %q, not %q", answer.String(), row.answer)
			}
			if row.fails {
				return
			}
			if got != row.want {
				t.Errorf("got %+v, not %+v", got, row.want)
			}
			if rest, _ := io.ReadAll(r); string(rest) != row.rest {
				t.Errorf("left %q, not %q", rest, row.rest)
			}
		})
	}
}

// Whatever a client sends: no panic, nothing read without bound, a host that can be
// dialled, and no byte behind the request lost.
func FuzzReadSOCKS(f *testing.F) {
	f.Add([]byte("\x04\x01\x00\x50\x7f\x00\x00\x01me\x00rest"))
	f.Add([]byte("\x04\x01\x01\xbb\x00\x00\x00\x01\x00example.org\x00rest"))
	f.Add([]byte("\x04\x01\x01\xbb\x00\x00\x00\x01\x00e[ample.org\x00rest"))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x01\x0a\x00\x00\x07\x1f\x90rest"))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x03\x02db\x15\x38"))
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x04aaaabbbbccccdddd\x15\x38x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var answer bytes.Buffer
		r := bufio.NewReaderSize(bytes.NewReader(in), bufferSize)
		q, err := readSOCKS(r, &answer)
		rest, _ := io.ReadAll(r)
		if answer.Len() > 12 {
			t.Fatalf("answered %d bytes", answer.Len())
		}
		if err != nil {
			return
		}
		if !bytes.HasSuffix(in, rest) || len(in)-len(rest) > bufferSize {
			t.Fatalf("read %d of %d bytes", len(in)-len(rest), len(in))
		}
		host, port, err := net.SplitHostPort(q.Address())
		if err != nil || host != q.Host || port == "" || !validHost(host) {
			t.Fatalf("%+v gives target %q: %v", q, q.Address(), err)
		}
	})
}
