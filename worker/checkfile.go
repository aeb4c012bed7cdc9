package worker

import (
	"context"
	"log/slog"
)

// Check reads the tunnel file, resolves it with ssh -G, and returns everything that is wrong.
// It opens nothing and contacts no server.
func Check(ctx context.Context, path string, log *slog.Logger) error {
	s, err := load(ctx, path, nil, log)
	if err != nil {
		return err
	}
	return s.err
}
