package worker

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/holdfast/holdfast/sshlink"
)

// refused keeps in mind which answers were wrong, so that a remembered one is not tried at
// each new connection: a server that is told a wrong password often enough bans the address.
// It holds digests under a key that ends with this process, and no answer.
type refused struct {
	mu    sync.Mutex
	key   []byte
	last  map[string]digest
	wrong map[string]map[digest]bool
}

type digest [sha256.Size]byte

// question is what tells one question from another.
func question(q sshlink.Question) string {
	return string(q.Kind) + "\x00" + q.Subject + "\x00" + q.Prompt
}

func (r *refused) sum(answer []byte) (d digest) {
	if r.key == nil {
		r.key = make([]byte, sha256.Size)
		_, _ = rand.Read(r.key) // it never fails
	}
	h := hmac.New(sha256.New, r.key)
	h.Write(answer)
	h.Sum(d[:0])
	return d
}

// given notes what a question was answered with.
func (r *refused) given(q sshlink.Question, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last, r.wrong = make(map[string]digest), make(map[string]map[digest]bool)
	}
	r.last[question(q)] = r.sum(answer)
}

// lastOf notes that the last answer to this question was wrong.
func (r *refused) lastOf(q sshlink.Question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := question(q)
	last, ok := r.last[key]
	if !ok {
		return
	}
	if r.wrong[key] == nil {
		r.wrong[key] = make(map[digest]bool)
	}
	r.wrong[key][last] = true
}

// has says whether this answer to this question was wrong before.
func (r *refused) has(q sshlink.Question, answer []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrong[question(q)][r.sum(answer)]
}
