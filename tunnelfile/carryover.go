package tunnelfile

// Carried is what a tunnel takes over of a command line of ssh or autossh.
type Carried struct {
	Text      string   // of the tunnel file
	LeftOut   []string // what a tunnel does not do, and why, an argument each
	Forwards  bool     // there are some among the arguments
	Config    string   // -F: what ssh reads in place of its own files, and a tunnel does not
	NoCommand bool     // -N or its like: it runs for its forwards, which ssh_config(5) may have
}

// CarryOver is FromSSHArguments for a command line that somebody wrote for ssh: what a tunnel
// does not do is left out where the tunnel is one without it. dir is the folder that relative
// paths begin in; where it is empty, the working directory. With an error, Forwards and
// NoCommand are right all the same.
func CarryOver(args []string, dir string) (Carried, error) {
	c := converter{args: args, lenient: true, dir: dir}
	err := c.read()
	text := ""
	if err == nil {
		text, err = c.text()
	}
	return Carried{Text: text, LeftOut: c.leftOut, Forwards: c.wants, NoCommand: c.noCommand, Config: c.config}, err
}
