// Package advice is errors for people: what went wrong, and what to do about it.
package advice

// Error is an error and what to do about it.
type Error struct {
	Err  error
	Hint string
}

func (e Error) Error() string { return e.Err.Error() }
func (e Error) Unwrap() error { return e.Err }

// Misuse is a command line that makes no sense.
type Misuse struct {
	Message string
	Usage   string // how to write it; the verb's own when empty
}

func (e Misuse) Error() string { return e.Message }
