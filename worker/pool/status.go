package pool

import (
	"time"

	"github.com/holdfast/holdfast/tunnelfile"
	"github.com/holdfast/holdfast/worker/keeper"
)

// Status is the status of a tunnel's connections: the status of one keeper, which speaks for all, and
// how many connections there are.
type Status struct {
	keeper.Status
	Wanted  int
	Up      int    // how many of them are up
	Problem string // why not all are up; empty if the others are connecting
	Refused error  // with Connections=auto: why no further one can be had; nil if one may be
}

// Join joins the statuses of keepers. The tunnel is up while one of them is up. The first keeper that
// is up speaks for all. Err, NextTry and Problem are those of the first one that is not up. While none
// is up, the first keeper with a link speaks, or else the first keeper.
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
