//go:build bench

package bench

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"
)

// launchAll starts so many of a program at once and waits until bytes go through each; it returns
// them, and how long that took.
func launchAll(t *testing.T, p program, w way, number int) (all []*running, took time.Duration, err error) {
	begin := time.Now()
	for range number {
		all = append(all, launch(t, p, w))
	}
	var wg sync.WaitGroup
	for _, r := range all {
		wg.Go(func() {
			if r.err == nil {
				r.err = r.up(2 * patience)
			}
		})
	}
	wg.Wait()
	took = time.Since(begin)
	for _, r := range all {
		if r.err != nil {
			return all, took, r.err
		}
	}
	return all, took, nil
}

// Fifty tunnels that nobody uses: memory, with what they share divided among them, and CPU.
func TestFiftyIdle(t *testing.T) {
	const number = 50
	memory := newResults("idle-memory", fmt.Sprintf("%d idle tunnels, PSS of each, MiB (ratio to ssh; less is better)", number), "PSS")
	cpu := newResults("idle-cpu", fmt.Sprintf("%d idle tunnels, ServerAliveInterval=10, CPU of all in 5 min, extrapolated from %v, s (ratio to ssh; less is better)", number, *idle), "CPU")
	w := way{server: here.server(t), target: target(t), settings: recipe}
	fleets := make(map[string][]*running)
	all := programs(withHoldfast)
	for _, p := range all {
		fleet, _, err := launchAll(t, p, w, number)
		if err != nil {
			t.Errorf("%s: %v", p.name, err)
			memory.fail("PSS", p.name, 1)
			cpu.fail("CPU", p.name, 1)
			continue
		}
		fleets[p.name] = fleet
	}
	settle() // each has its own time for that
	spent := func(name string) (total time.Duration) {
		for _, r := range fleets[name] {
			total += r.cpu()
		}
		return total
	}
	before := make(map[string]time.Duration)
	for name := range fleets {
		before[name] = spent(name)
	}
	time.Sleep(*idle)
	for _, p := range all {
		fleet := fleets[p.name]
		if fleet == nil {
			continue
		}
		cpu.add("CPU", p.name, (spent(p.name)-before[p.name]).Seconds()*float64(5*time.Minute)/float64(*idle))
		var kib int64
		for _, r := range fleet {
			kib += r.memory("Pss")
		}
		memory.add("PSS", p.name, float64(kib)/number/1024)
	}
	memory.publish(t)
	cpu.publish(t)
}

// A hundred tunnels from nothing to up, all at once.
func TestHundredUp(t *testing.T) {
	const number = 100
	table := newResults("hundred", fmt.Sprintf("%d tunnels to one server, all started at once, until bytes go through the last, s (ratio to ssh; less is better); medians of %d", number, *rounds), "up")
	w := way{server: here.server(t), target: target(t), settings: recipe}
	for range *rounds {
		for _, p := range programs(withAutossh, withHoldfast) {
			all, took, err := launchAll(t, p, w, number)
			table.measure(t, "up", &running{program: p, err: err}, func() (float64, error) { return took.Seconds(), nil })
			var wg sync.WaitGroup
			for _, r := range all {
				wg.Go(r.stop)
			}
			wg.Wait()
		}
	}
	table.publish(t)
}

// A session that is dead, as one is behind a router that has lost it: its process at the server
// stops, and who connects anew is served. A client asks five times a second. How long until one
// has an answer.
func TestDeadSession(t *testing.T) {
	const most = 2 * time.Minute
	table := newResults("dead-session", fmt.Sprintf("A session that is dead while clients connect, until one is served, loopback, s (ratio to autossh with %s and %s; less is better); medians of %d", recipe[0], recipe[1], *rounds), "served")
	all := append([]program{withAutossh}, programs(withHoldfast, holdfastOpenSSH)[1:]...)
	for _, p := range all { // the first to be served is not the first of the table
		table.programs = append(table.programs, p.name)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range *rounds {
		for _, p := range all {
			server := here.server(t)
			r := start(t, p, way{server: server, target: target(t), settings: recipe})
			wg.Go(func() {
				server.KillSessions(syscall.SIGSTOP)
				begin := time.Now()
				if r.err == nil {
					r.err = r.servedAgain(most)
				}
				took := time.Since(begin)
				mu.Lock()
				defer mu.Unlock()
				table.measure(t, "served", r, func() (float64, error) { return took.Seconds(), nil })
			})
		}
	}
	wg.Wait()
	table.publish(t)
}

// servedAgain makes five connections a second until one is served.
func (r *running) servedAgain(most time.Duration) error {
	served := make(chan struct{})
	var once sync.Once
	for end := time.Now().Add(most); time.Now().Before(end); {
		go func() {
			if r.served(most) == nil {
				once.Do(func() { close(served) })
			}
		}()
		select {
		case <-served:
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
	return fmt.Errorf("no connection was served within %v", most)
}
