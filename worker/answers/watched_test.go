package answers

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/internal/fault"
)

// silentAsker answers nothing until its context ends.
type silentAsker struct{}

func (silentAsker) Ask(ctx context.Context, _ asking.Question) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silentAsker) Confirm(ctx context.Context, _ asking.Question) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

// What a question asks for is the tunnel's reason for as long as it is open.
func TestOpenQuestions(t *testing.T) {
	for kind, want := range map[asking.Kind]fault.Reason{
		asking.KindPassphrase: fault.Passphrase, asking.KindPassword: fault.Password, asking.KindInteractive: fault.Code,
		asking.KindHostKey: fault.HostKeyUnknown, asking.KindPIN: fault.PIN, asking.KindTouch: fault.Touch,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			changed := make(chan struct{}, 2)
			a := Share(silentAsker{}, func() { changed <- struct{}{} })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			go func() {
				switch kind {
				case asking.KindHostKey:
					a.Confirm(ctx, asking.Question{Kind: kind})
				case asking.KindTouch:
					a.Notify(ctx, asking.Question{Kind: kind})
				default:
					a.Ask(ctx, asking.Question{Kind: kind})
				}
			}()
			<-changed
			if got, note := a.WaitsFor(); got != want || note == "" {
				t.Errorf("waits for %q: %q, want %q", got, note, want)
			}
			cancel()
			<-changed
			if got, note := a.WaitsFor(); got != fault.None || note != "" {
				t.Errorf("still waits for %q: %q", got, note)
			}
		})
	}
}
