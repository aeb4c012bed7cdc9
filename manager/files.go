package manager

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/tunnelfile"
)

// loads sees to it that who asks for the directories to be read gets a reading that
// began after the question, and that there is never more than one at a time.
type loads struct {
	running bool
	waiting []func() // for the next one
}

// file is one tunnel file that was read without problems, and what follows from it.
type file struct {
	tunnelfile.Tunnel
	design design.Units
	hash   string // SettingsHash
}

// load reads the directories and calls then, if any, when the table has them.
func (m *Manager) load(then func()) {
	if then == nil {
		then = func() {}
	}
	m.loads.waiting = append(m.loads.waiting, then)
	if !m.loads.running && m.marked {
		m.startLoad()
	}
}

func (m *Manager) startLoad() {
	waiting := m.loads.waiting
	m.loads.waiting, m.loads.running = nil, true
	m.do(func(ctx context.Context) func() {
		files, problems := readFiles(ctx, m.Dirs, m.Host.Host)
		return func() {
			m.takeFiles(files, problems)
			for _, f := range waiting {
				f()
			}
			m.loads.running = false
			if len(m.loads.waiting) > 0 {
				m.startLoad()
			}
		}
	})
}

// loadAndWait is load for the manager's methods. It waits until what follows from new
// and changed files is under way, too.
func (m *Manager) loadAndWait(ctx context.Context) error {
	done := make(chan struct{}, 1)
	_, err := ask(ctx, m, func() struct{} {
		m.load(func() {
			var news []*row
			for _, r := range m.rows {
				if !r.isShown || r.again || r.file == nil || r.shown.Text != r.file.Text { // the last: it is busy
					news = append(news, r)
				}
			}
			m.afterAll(news, func() { done <- struct{}{} })
		})
		return struct{}{}
	})
	if err != nil {
		return err
	}
	return m.await(ctx, done, 1)
}

// designTime bounds what ssh may take to read its configuration for one tunnel, of which a
// Match exec is a part; several are asked at a time.
const (
	designTime = 5 * time.Second
	designers  = 8
)

// readFiles reads and checks every tunnel file. A file with problems is not among the files.
func readFiles(ctx context.Context, dirs tunnelfile.Dirs, h design.Host) ([]*file, tunnelfile.Problems) {
	tunnels, problems := dirs.LoadAll()
	designs := make([]design.Units, len(tunnels))
	wrong := make([]tunnelfile.Problems, len(tunnels))
	var all sync.WaitGroup
	places := make(chan struct{}, designers)
	for i, t := range tunnels {
		all.Go(func() {
			places <- struct{}{}
			ctx, cancel := context.WithTimeout(ctx, designTime)
			designs[i], wrong[i] = design.Of(ctx, t, h)
			cancel()
			<-places
		})
	}
	all.Wait()
	var files []*file
	for i, t := range tunnels {
		if len(wrong[i]) == 0 {
			files = append(files, &file{t, designs[i], tunnelfile.SettingsHash(t)})
		}
		problems = append(problems, wrong[i]...)
	}
	return files, problems
}

// takeFiles takes over what was read. A tunnel whose file is gone ends; one whose file
// is broken goes on as it is.
func (m *Manager) takeFiles(files []*file, problems tunnelfile.Problems) {
	m.problems = problems
	m.broken = make(map[string]tunnelfile.Problems)
	blind := false // a whole directory could not be read
	for _, p := range problems {
		if name, ok := tunnelfile.NameOfFile(p.Path); ok {
			m.broken[name] = append(m.broken[name], p)
		}
		blind = blind || slices.Contains(m.Dirs, p.Path)
	}
	for _, f := range files {
		m.row(f.Name).takeFile(f)
	}
	for name := range m.broken {
		m.row(name).broken = true
	}
	have := make(map[string]bool)
	for _, f := range files {
		have[f.Name] = true
	}
	for name, r := range m.rows {
		if !have[name] && m.broken[name] == nil {
			if blind {
				r.broken = true
				continue
			}
			if r.file != nil {
				r.failure = failure{}
			}
			r.broken, r.file = false, nil
			r.forget()
		}
		if !r.known {
			m.read(r)
		}
	}
	for name := range m.down {
		if m.rows[name] == nil {
			r := m.row(name) // of a tunnel that went while no daemon was there
			r.forget()
			m.read(r)
		}
		delete(m.down, name) // the row knows
	}
	m.loaded = true
	m.showGlobal()
	m.stepAll()
}

// takeFile takes over a row's file. One that says something new is an occasion to try again.
func (r *row) takeFile(f *file) {
	old := r.file
	same := old != nil && old.hash == f.hash
	if same && (f.design.Unknown != nil || old.design.WholeMark == f.design.WholeMark) {
		f.design = old.design // which may do without some of its addresses
	}
	if !same {
		r.forgetWay()
	}
	changed := !same || old.design.Mark != f.design.Mark || r.broken
	r.file, r.broken = f, false
	if changed && r.isShown {
		r.retry = retryTimer{}
		r.occasion()
	}
}
