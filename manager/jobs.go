package manager

import "context"

// jobs is the I/O for the table: at most maxJobs run at a time, the others wait.
type jobs struct {
	queue   []func(context.Context) func()
	running int
}

// do runs job in a goroutine, and then has Run's goroutine call the function that job returned.
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
