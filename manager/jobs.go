package manager

import "context"

// jobs is the I/O that is under way for the table, maxJobs at a time.
type jobs struct {
	queue   []func(context.Context) func()
	running int
}

// do has a goroutine run job, and Run's goroutine the function that it returns.
func (m *Manager) do(job func(context.Context) func()) {
	m.jobs.queue = append(m.jobs.queue, job)
	m.startJobs()
}

func (m *Manager) startJobs() {
	for m.jobs.running < maxJobs && len(m.jobs.queue) > 0 {
		job := m.jobs.queue[0]
		m.jobs.queue[0] = nil
		m.jobs.queue = m.jobs.queue[1:]
		m.jobs.running++
		go func(all context.Context) {
			ctx, cancel := context.WithTimeout(all, jobDeadline)
			result := job(ctx)
			cancel()
			m.post(all, func() {
				m.jobs.running--
				result()
				m.startJobs()
			})
		}(m.ctx)
	}
}
