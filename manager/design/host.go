package design

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/holdfast/holdfast/systemdctl"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ThisHost is the machine that a daemon for this scope runs on. The program is looked for in the
// folder of the daemon's program, then in PATH.
func ThisHost(scope systemdctl.Scope) (Host, error) {
	path, err := findProgram()
	h := Host{Scope: scope, Program: path, SSHConfig: sshConfig}
	if scope == systemdctl.System {
		h.SSHConfig = sshConfigForUser
	}
	return h, err
}

func findProgram() (string, error) {
	self, err := os.Executable()
	if err == nil {
		path := filepath.Join(filepath.Dir(self), tunnelfile.Program)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(tunnelfile.Program)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside holdfastd nor in PATH", tunnelfile.Program)
	}
	return filepath.Abs(path)
}
