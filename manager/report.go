package manager

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
)

const (
	reportDeadline = time.Second
	maxReport      = 4 << 20 // bytes
)

// readReport asks a worker for its report, on its own socket.
func readReport(ctx context.Context, socket string) (tunnelfile.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, reportDeadline)
	defer cancel()
	var report tunnelfile.Report
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return report, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return report, err
	}
	request, err := http.NewRequest(http.MethodGet, "http://localhost/status", nil)
	if err != nil {
		return report, err
	}
	request.Close = true
	if err := request.Write(conn); err != nil {
		return report, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return report, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return report, fmt.Errorf("%s: %s", socket, response.Status)
	}
	return report, json.NewDecoder(io.LimitReader(response.Body, maxReport)).Decode(&report)
}
