package manager

import "context"

// do runs job, the I/O for the table, in a goroutine, and then has Run's goroutine call the function
// that job returned. At most maxJobs run at a time, the others wait.
func (m *Manager) do(job func(context.Context) func()) {
	go func(all context.Context) {
		select {
		case m.jobs <- struct{}{}:
		case <-all.Done():
			return
		}
		ctx, cancel := context.WithTimeout(all, jobDeadline)
		result := job(ctx)
		cancel()
		<-m.jobs
		m.post(all, result)
	}(m.ctx)
}
