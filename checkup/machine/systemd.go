package machine

import (
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// oldestSystemd is the first version of systemd with everything that tunnels' units need.
const oldestSystemd = 252

// systemd examines systemd itself. It returns false if there is no manager that answers.
func (x *examination) systemd() bool {
	out, err := run(x.ctx, "systemctl", "--version")
	if err != nil {
		x.Problem(tunnelfile.SubjectSystemd, "", "there is no systemd here (%v): holdfast-tunnel runs one tunnel without", err)
		return false
	}
	if v := systemdVersion(out); v > 0 && v < oldestSystemd {
		x.Problem(tunnelfile.SubjectSystemd, "", "systemd %d is too old: Holdfast needs %d", v, oldestSystemd)
	}
	manager, err := show(x.ctx, "systemctl", scope(x.o.System), "show", "-p", "Version", "-p", "SystemState")
	switch {
	case err != nil && x.o.System:
		x.Problem(tunnelfile.SubjectSystemd, "", "systemd does not answer: %v", err)
		return false
	case err != nil:
		x.Problem(tunnelfile.SubjectSystemd, "loginctl enable-linger "+person(),
			"your user manager does not answer (%v): log in as the user, not by su or sudo", err)
		return false
	}
	what := "the user manager"
	if x.o.System {
		what = "systemd"
	}
	x.OK(tunnelfile.SubjectSystemd, "%s runs, version %s", what, manager["Version"])
	return true
}

// systemdVersion reads the version from "systemd 252 (252.39-1~deb12u1)"; 0 if the text is different.
func systemdVersion(text string) int {
	fields := strings.Fields(text)
	if len(fields) < 2 || fields[0] != "systemd" {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}

// daemon examines the unit of holdfastd.
func (x *examination) daemon() {
	unit, err := show(x.ctx, "systemctl", scope(x.o.System), "show", "holdfastd.service",
		"-p", "LoadState", "-p", "ActiveState", "-p", "SubState", "-p", "UnitFileState", "-p", "Result", "-p", "NRestarts")
	if err != nil {
		x.Problem(tunnelfile.SubjectDaemon, "", "its unit cannot be asked for: %v", err)
		return
	}
	control := "systemctl " + scope(x.o.System)
	if x.o.System {
		control = "systemctl"
	}
	switch {
	case unit["LoadState"] != "loaded":
		x.Problem(tunnelfile.SubjectDaemon, "make install, then "+control+" daemon-reload", "holdfastd.service is not installed here (%s)", unit["LoadState"])
		return
	case unit["ActiveState"] == "failed":
		x.Problem(tunnelfile.SubjectDaemon, control+" restart holdfastd; journalctl "+scope(x.o.System)+" -u holdfastd -n 20", "holdfastd failed (%s)", unit["Result"])
		return
	case unit["UnitFileState"] == "masked":
		x.Problem(tunnelfile.SubjectDaemon, control+" unmask holdfastd", "holdfastd.service is masked")
		return
	}
	enabled := unit["UnitFileState"] == "enabled" || unit["UnitFileState"] == "enabled-runtime"
	running := "runs"
	if unit["ActiveState"] != "active" {
		running = "does not run now (D-Bus starts it)"
	}
	switch {
	case enabled:
		x.OK(tunnelfile.SubjectDaemon, "holdfastd %s, and starts by itself", running)
	case x.o.Auto:
		x.Problem(tunnelfile.SubjectDaemon, control+" enable --now holdfastd",
			"holdfastd %s, and does not start by itself: after the next start tunnels with Start=auto wait until somebody asks for one", running)
	default:
		x.Hint(tunnelfile.SubjectDaemon, control+" enable --now holdfastd", "holdfastd %s, and does not start by itself", running)
	}
}

// linger examines whether the user manager's units outlive a logout (loginctl enable-linger).
func (x *examination) linger() {
	if x.o.System {
		return
	}
	who := person()
	session, err := show(x.ctx, "loginctl", "show-user", who, "-p", "Linger", "-p", "Display")
	switch {
	case err != nil:
		x.Hint(tunnelfile.SubjectLinger, "loginctl enable-linger "+who, "whether tunnels outlive a logout cannot be seen here: %v", err)
	case session["Linger"] == "yes":
		x.OK(tunnelfile.SubjectLinger, "tunnels start at boot and outlive a logout (lingering is on)")
	case session["Display"] != "":
		x.Hint(tunnelfile.SubjectLinger, "loginctl enable-linger "+who, "tunnels end when you log out of the desktop, and start at the next login (lingering is off)")
	default:
		x.Problem(tunnelfile.SubjectLinger, "loginctl enable-linger "+who, "tunnels end when your last session does, and start at the next login (lingering is off)")
	}
}
