package fault

import (
	"errors"
	"net"
	"os"
	"strings"
)

// Words returns the text of an error without the prefixes of packages net and os. For "read tcp
// 192.0.2.1:40112->198.51.100.2:22: read: connection reset by peer", it returns the last part. The
// message around it names the peer.
func Words(err error) string {
	message := err.Error()
	shorten(&message, err)
	return message
}

func shorten(message *string, err error) {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) {
		case *net.OpError:
			if e.Err != nil {
				*message = strings.Replace(*message, e.Error(), e.Err.Error(), 1)
			}
		case *os.SyscallError:
			*message = strings.Replace(*message, e.Error(), e.Err.Error(), 1)
		case *net.DNSError:
			*message = strings.Replace(*message, e.Error(), e.Err, 1)
		case interface{ Unwrap() []error }:
			for _, branch := range e.Unwrap() {
				shorten(message, branch)
			}
			return
		}
	}
}
