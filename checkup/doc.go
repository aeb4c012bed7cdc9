// Package checkup looks for what would keep a tunnel from staying up: in its file, in what
// ssh_config(5) makes of it, in keys and agent, at the listening sockets here, on the way to
// the server and on the server itself. Each thing looked at is a finding, with the line that
// mends it.
//
// It changes nothing, disturbs no tunnel that runs, logs in once, and does not try again. It
// knows neither D-Bus nor systemd: what the machine has to do with it is for the package
// machine inside.
package checkup
