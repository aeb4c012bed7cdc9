package sshlink

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast/holdfast/testbed"
	"github.com/holdfast/holdfast/tunnelfile"
)

// BenchmarkBulk carries one stream over loopback and counts this process's CPU time besides.
func BenchmarkBulk(b *testing.B) {
	const chunk = 64 << 10
	s := testbed.StartServer(b, testbed.ServerOptions{})
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	for _, transport := range []tunnelfile.Transport{tunnelfile.TransportNative, tunnelfile.TransportOpenSSH} {
		for _, direction := range []string{"down", "up"} {
			b.Run(string(transport)+"/"+direction, func(b *testing.B) {
				l := dialBy(b, transport, s)
				c, err := l.DialContext(b.Context(), "tcp", target.Addr().String())
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				far, err := target.Accept()
				if err != nil {
					b.Fatal(err)
				}
				defer far.Close()
				from, to := far, c
				if direction == "up" {
					from, to = c, far
				}
				b.SetBytes(chunk)
				total := int64(b.N) * chunk
				before := processTime()
				go io.CopyBuffer(onlyWriter{from}, io.LimitReader(zeros{}, total), make([]byte, chunk))
				if n, err := io.CopyBuffer(onlyWriter{io.Discard}, io.LimitReader(to, total), make([]byte, chunk)); n != total {
					b.Fatal(n, err)
				}
				b.ReportMetric((processTime()-before).Seconds()/float64(total)*(1<<30), "cpu-s/GiB")
			})
		}
	}
}

type onlyWriter struct{ io.Writer }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// processTime is the CPU time of this process so far, at both ends of the stream.
func processTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
