package tunnelfile

// Carried is what a tunnel takes over from a command line of ssh or autossh.
type Carried struct {
	Text      string   // of the tunnel file
	LeftOut   []string // arguments that a tunnel has no use for, and why
	Forwards  bool     // there are forwards among the arguments
	Config    string   // -F: the file that ssh reads in place of its own, which a tunnel does not
	NoCommand bool     // -N or -f: ssh ran for its forwards, which ssh_config(5) may have
}

// CarryOver is FromSSHArguments for a command line that a person wrote for ssh: it leaves out
// arguments that a tunnel can do without. Relative paths begin in dir, or in the working directory
// if dir is "". If there is an error, Forwards and NoCommand are right all the same.
func CarryOver(args []string, dir string) (Carried, error) {
	c := converter{args: args, lenient: true, dir: dir}
	err := c.read()
	text := ""
	if err == nil {
		text, err = c.text()
	}
	return Carried{Text: text, LeftOut: c.leftOut, Forwards: c.wants, NoCommand: c.noCommand, Config: c.config}, err
}
