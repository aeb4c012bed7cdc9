package tray

import (
	"context"
	"errors"
	"time"

	"github.com/zalando/go-keyring"
)

// keyringTime is how long a keyring may take: one that is locked may ask a person first.
const keyringTime = 20 * time.Second

const keyringService = "holdfast"

// SecretService is the desktop's keyring (org.freedesktop.secrets).
type SecretService struct{}

// Get is Keyring. A keyring that stays locked is left behind.
func (SecretService) Get(ctx context.Context, account string) (string, bool, error) {
	type result struct {
		secret string
		err    error
	}
	done := make(chan result, 1)
	go func() {
		secret, err := keyring.Get(keyringService, account)
		done <- result{secret, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, keyringTime)
	defer cancel()
	select {
	case r := <-done:
		if errors.Is(r.err, keyring.ErrNotFound) {
			return "", false, nil
		}
		return r.secret, r.err == nil, r.err
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

// Set is Keyring.
func (SecretService) Set(ctx context.Context, account, secret string) error {
	done := make(chan error, 1)
	go func() { done <- keyring.Set(keyringService, account, secret) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
