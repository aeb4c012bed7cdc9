package sshlink

import (
	"log/slog"

	"github.com/holdfast/holdfast/internal/asking"
	"github.com/holdfast/holdfast/tunnelfile"
)

// Config is where a tunnel goes and how, as its file says it.
type Config struct {
	Name        string               // of the tunnel, for messages and hints
	Destination string               // what ssh(1) takes: alias, user@host, ssh://user@host:port
	Settings    []tunnelfile.Setting // the file's [SSH] section; it beats every ssh_config(5) file
	ConfigFile  string               // as ssh -F: read in place of the person's and the system's ssh_config; "none" for no file; usually empty
	Transport   tunnelfile.Transport // empty is auto
	Log         *slog.Logger         // may be nil
	Ask         asking.Asker         // nil: nobody is there
}

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}
