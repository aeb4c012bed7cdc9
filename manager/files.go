package manager

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/holdfast/holdfast/manager/design"
	"github.com/holdfast/holdfast/tunnelfile"
)

// loads reads the directories one reading at a time. A caller gets the result of a reading that
// began after its request.
type loads struct {
	running bool
	waiting []func() // to call after the next reading
}

// file is one tunnel file that was read without problems, and the units that it makes.
type file struct {
	tunnelfile.Tunnel
	design design.Units
	hash   string // SettingsHash
}

// load reads the directories, and calls then, unless it is nil, when the table has the files.
func (m *Manager) load(then func()) {
	if then == nil {
		then = func() {}
	}
	m.loads.waiting = append(m.loads.waiting, then)
	if !m.loads.running && m.markersRead {
		m.startLoad()
	}
}

func (m *Manager) startLoad() {
	waiting := m.loads.waiting
	m.loads.waiting, m.loads.running = nil, true
	m.do(func(ctx context.Context) func() {
		files, problems := readFiles(ctx, m.Dirs, m.Host.Host)
		return func() {
			m.applyFiles(files, problems)
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

// loadAndWait is load for the manager's methods. It also waits until the actions that follow from
// new and changed files are under way.
func (m *Manager) loadAndWait(ctx context.Context) error {
	done := make(chan struct{})
	_, err := ask(ctx, m, func() struct{} {
		m.load(func() {
			var news []*row
			for _, r := range m.rows {
				if !r.isShown || r.retryNow || r.file == nil || r.shown.Text != r.file.Text { // the last one is busy
					news = append(news, r)
				}
			}
			m.afterAll(news, func() { close(done) })
		})
		return struct{}{}
	})
	if err != nil {
		return err
	}
	_, err = receive(ctx, m, done)
	return err
}

// Designing a tunnel's units may run ssh to read its configuration, and so a Match exec.
const (
	designTime = 5 * time.Second // for one tunnel
	designers  = 8               // tunnels at a time
)

// readFiles reads and checks every tunnel file. Files with problems are left out.
func readFiles(ctx context.Context, dirs tunnelfile.Dirs, h design.Host) ([]*file, tunnelfile.Problems) {
	tunnels, problems := dirs.LoadAll()
	designs := make([]design.Units, len(tunnels))
	wrong := make([]tunnelfile.Problems, len(tunnels))
	var all sync.WaitGroup
	slots := make(chan struct{}, designers)
	for i, t := range tunnels {
		all.Go(func() {
			slots <- struct{}{}
			ctx, cancel := context.WithTimeout(ctx, designTime)
			designs[i], wrong[i] = design.Of(ctx, t, h)
			cancel()
			<-slots
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

// applyFiles takes over what was read. A tunnel whose file is gone ends. A tunnel whose file cannot
// be read goes on as it is.
func (m *Manager) applyFiles(files []*file, problems tunnelfile.Problems) {
	m.problems = problems
	m.broken = make(map[string]tunnelfile.Problems)
	dirUnread := false // a whole directory could not be read
	for _, p := range problems {
		if name, ok := tunnelfile.NameOfFile(p.Path); ok {
			m.broken[name] = append(m.broken[name], p)
		}
		dirUnread = dirUnread || slices.Contains(m.Dirs, p.Path)
	}
	have := make(map[string]bool)
	for _, f := range files {
		have[f.Name] = true
		m.row(f.Name).applyFile(f)
	}
	for name := range m.broken {
		m.row(name).broken = true
	}
	for name, r := range m.rows {
		if !have[name] && m.broken[name] == nil {
			if dirUnread {
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
			r := m.row(name) // its tunnel was removed while no daemon ran
			r.forget()
			m.read(r)
		}
		delete(m.down, name) // the row knows
	}
	m.filesLoaded = true
	m.showGlobal()
	m.stepAll()
}

// applyFile takes over a row's file. A file with something new allows a retry.
func (r *row) applyFile(f *file) {
	old := r.file
	same := old != nil && old.hash == f.hash
	if same && (f.design.Unknown != nil || old.design.WholeMark == f.design.WholeMark) {
		f.design = old.design // some addresses may be left out of it
	}
	if !same {
		r.forgetWay()
	}
	changed := !same || old.design.Mark != f.design.Mark || r.broken
	r.file, r.broken = f, false
	if changed && r.isShown {
		r.retry = retryTimer{}
		r.allowRetry()
	}
}
