package checkup

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	reportDeadline = 2 * time.Second
	maxReport      = 4 << 20 // bytes
)

// readReport asks the tunnel's worker how it is; nil: no worker answers. It does so by hand:
// http.Client would make half a megabyte of each worker's program.
func readReport(ctx context.Context, socket string) *tunnelfile.Report {
	ctx, cancel := context.WithTimeout(ctx, reportDeadline)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, "GET /status HTTP/1.1\r\nHost: tunnel\r\nConnection: close\r\n\r\n"); err != nil {
		return nil
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil
	}
	defer response.Body.Close()
	var report tunnelfile.Report
	if json.NewDecoder(io.LimitReader(response.Body, maxReport)).Decode(&report) != nil {
		return nil
	}
	return &report
}

// listens says whether systemd or a worker listens for the tunnel now, so that its ports are
// taken by the tunnel itself.
func (x *examination) listens() bool {
	if x.running != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(x.ctx, reportDeadline)
	defer cancel()
	for _, scope := range []string{"--user", "--system"} {
		if exec.CommandContext(ctx, "systemctl", scope, "--quiet", "is-active", tunnelfile.SocketName(x.tunnel.Name)).Run() == nil {
			return true
		}
	}
	return false
}

// up says whether the tunnel has a connection now.
func (x *examination) up() bool {
	return x.running != nil && (x.running.State == tunnelfile.Up || x.running.State == tunnelfile.Degraded)
}
