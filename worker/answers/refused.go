package answers

import (
	"hash/maphash"
	"sync"

	"github.com/holdfast/holdfast/internal/asking"
)

// refused keeps in mind which answers were wrong, so that a remembered one is not tried at
// each new connection: a server that is told a wrong password often enough bans the address.
// It holds hashes under a seed of this process's own, and no answer: a hash function that
// buffers, as those of package crypto do, would leave copies in memory.
type refused struct {
	mu    sync.Mutex
	seed  maphash.Seed
	last  map[string]uint64
	wrong map[string]map[uint64]bool
}

// question is what tells one question from another.
func question(q asking.Question) string {
	return string(q.Kind) + "\x00" + q.Subject + "\x00" + q.Prompt
}

// given notes what a question was answered with.
func (r *refused) given(q asking.Question, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.seed, r.last, r.wrong = maphash.MakeSeed(), make(map[string]uint64), make(map[string]map[uint64]bool)
	}
	r.last[question(q)] = maphash.Bytes(r.seed, answer)
}

// lastOf notes that the last answer to this question was wrong.
func (r *refused) lastOf(q asking.Question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := question(q)
	last, ok := r.last[key]
	if !ok {
		return
	}
	if r.wrong[key] == nil {
		r.wrong[key] = make(map[uint64]bool)
	}
	r.wrong[key][last] = true
}

// has says whether this answer to this question was wrong before.
func (r *refused) has(q asking.Question, answer []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	wrong := r.wrong[question(q)]
	return len(wrong) > 0 && wrong[maphash.Bytes(r.seed, answer)]
}
