package worker

import (
	"context"
	"log/slog"
)

// Check reads the tunnel file and asks ssh what it makes of it, and returns all that
// is wrong. Nothing is opened and no server is touched.
func Check(ctx context.Context, path string, log *slog.Logger) error {
	s, err := load(ctx, path, nil, log)
	if err != nil {
		return err
	}
	return s.err
}
