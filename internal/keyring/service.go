package keyring

import (
	"context"
	"errors"
	"time"

	"github.com/zalando/go-keyring"
)

// Time is how long a keyring may take. A locked keyring first asks a person, who may be away.
const Time = 20 * time.Second

// attribute is the attribute "service" of each secret: secret-tool search service holdfast.
const attribute = "holdfast"

// Keyring stores secrets.
type Keyring interface {
	// Get returns the secret of the account; ok says whether there is one.
	Get(ctx context.Context, account Account) (secret string, ok bool, err error)
	// Set stores a secret in place of the previous one.
	Set(ctx context.Context, account Account, secret string) error
}

// SecretService is the desktop's keyring, see the Secret Service API of freedesktop.org.
type SecretService struct{}

// Get implements Keyring. It gives up after Time if the keyring stays locked.
func (SecretService) Get(ctx context.Context, account Account) (string, bool, error) {
	secret, err := inTime(ctx, func() (string, error) { return keyring.Get(attribute, string(account)) })
	if errors.Is(err, keyring.ErrNotFound) {
		return "", false, nil
	}
	return secret, err == nil, err
}

// Set implements Keyring.
func (SecretService) Set(ctx context.Context, account Account, secret string) error {
	_, err := inTime(ctx, func() (string, error) { return "", keyring.Set(attribute, string(account), secret) })
	return err
}

// ErrLocked says that the keyring did not answer in time, probably because it is locked.
var ErrLocked = errors.New("the keyring did not answer in time; is it locked?")

// inTime calls a keyring that knows no context, and leaves it alone after Time.
func inTime(ctx context.Context, call func() (string, error)) (string, error) {
	type result struct {
		secret string
		err    error
	}
	done := make(chan result, 1)
	go func() {
		secret, err := call()
		done <- result{secret, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, Time)
	defer cancel()
	select {
	case r := <-done:
		return r.secret, r.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", ErrLocked
		}
		return "", ctx.Err()
	}
}
