package pool

import (
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
)

// Status is what there is to say of a tunnel's connections: the status of one of them,
// which speaks for all, and how many there are.
type Status struct {
	keeper.Status
	Wanted  int
	Up      int    // of them
	Problem string // why not all are; empty: the others are on their way
	Refused error  // why there will be no further one, with Connections=auto; nil: there may be

}

// Join is what keepers say together. The tunnel is up while one of them is: the first such
// speaks for all, and of those that are not the first, which is the one that is being tried.
// While none is up, the first that has a link at all speaks, or the first.
func Join(all []keeper.Status) Status {
	j := Status{Wanted: len(all)}
	speaker, down := -1, -1
	var since time.Time
	var reconnects uint64
	for i, s := range all {
		reconnects += s.Reconnects
		if !s.UpSince.IsZero() && (since.IsZero() || s.UpSince.Before(since)) {
			since = s.UpSince
		}
		isUp := s.State == tunnelfile.Up
		if isUp {
			j.Up++
		} else if down < 0 {
			down = i
		}
		if speaker < 0 && s.Link != nil || isUp && j.Up == 1 {
			speaker = i
		}
	}
	j.Status = all[max(speaker, 0)]
	j.UpSince, j.Reconnects = since, reconnects
	if j.Up > 0 && down >= 0 {
		s := all[down]
		j.Err, j.NextTry, j.Problem = s.Err, s.NextTry, s.Text
		if s.State == tunnelfile.Connecting || s.State == "" {
			j.Problem = ""
			if s.Err != nil {
				j.Problem = s.Err.Error()
			}
		}
	}
	return j
}
