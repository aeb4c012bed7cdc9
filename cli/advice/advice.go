// Package advice has errors for people: what went wrong, and what to do about it.
package advice

// Error is an error with a hint that says what to do about it.
type Error struct {
	Err  error
	Hint string
}

func (e Error) Error() string { return e.Err.Error() }
func (e Error) Unwrap() error { return e.Err }

// Misuse is a wrong command line.
type Misuse struct {
	Message string
	Usage   string // how to write it; "" means the verb's own
}

func (e Misuse) Error() string { return e.Message }
