package answers

import (
	"hash/maphash"
	"sync"

	"github.com/holdfast/holdfast/internal/asking"
)

// refused remembers which answers were wrong, so that no new connection tries them again: a server
// may ban an address after several wrong passwords.
//
// It stores no answers, only hashes with a random seed of this process. It uses hash/maphash,
// because the hash functions of package crypto buffer, which would leave copies in memory.
type refused struct {
	mu    sync.Mutex
	seed  maphash.Seed
	last  map[string]uint64
	wrong map[wrongAnswer]bool
}

// wrongAnswer is a question, and the hash of an answer to it.
type wrongAnswer struct {
	question string
	answer   uint64
}

// question is a map key that identifies a question.
func question(q asking.Question) string {
	return string(q.Kind) + "\x00" + q.Subject + "\x00" + q.Prompt
}

// given notes the answer that was given to a question.
func (r *refused) given(q asking.Question, answer []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.seed, r.last, r.wrong = maphash.MakeSeed(), make(map[string]uint64), make(map[wrongAnswer]bool)
	}
	r.last[question(q)] = maphash.Bytes(r.seed, answer)
}

// markLast notes that the last answer to this question was wrong.
func (r *refused) markLast(q asking.Question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := question(q)
	if last, ok := r.last[key]; ok {
		r.wrong[wrongAnswer{key, last}] = true
	}
}

// wasWrong says whether this answer to this question was wrong before.
func (r *refused) wasWrong(q asking.Question, answer []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.wrong) > 0 && r.wrong[wrongAnswer{question(q), maphash.Bytes(r.seed, answer)}]
}
