package config

import (
	"log/slog"

	"github.com/holdfast/holdfast/tunnelfile"
)

// Source is where a tunnel goes and how, as its file says.
type Source struct {
	Name        string               // of the tunnel, for messages and hints
	Destination string               // what ssh(1) takes: alias, user@host, ssh://user@host:port
	Settings    []tunnelfile.Setting // the file's [SSH] section; it beats every ssh_config(5) file
	ConfigFile  string               // as ssh -F, in place of all ssh_config files; "none": no file; usually empty
	Transport   tunnelfile.Transport // empty is auto
	Log         *slog.Logger         // may be nil
}

// Of is the Source of a tunnel file.
func Of(t tunnelfile.Tunnel) Source {
	return Source{Name: t.Name, Destination: t.Destination, Settings: t.SSH, Transport: t.Transport}
}

func (s Source) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}
