package manager

import "context"

// do runs job, the I/O for the table, in a goroutine, and then has Run's goroutine call the function
// that job returned. At most maxJobs run at a time. The others wait, in no
// order, and do not begin once the manager ends.
func (m *Manager) do(job func(context.Context) func()) {
	go func(all context.Context) {
		select {
		case m.jobs <- struct{}{}:
		case <-all.Done():
			return
		}
		defer func() { <-m.jobs }()
		if all.Err() != nil { // the slot came at the same moment
			return
		}
		ctx, cancel := context.WithTimeout(all, jobDeadline)
		defer cancel()
		m.post(all, job(ctx))
	}(m.ctx)
}
