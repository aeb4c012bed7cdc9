// Package checkup looks for problems that would keep a tunnel from staying up. It examines the tunnel
// file, ssh_config(5), keys and agent, the local listening sockets, the path to the server, and the
// server itself. Each result is a finding, with a command that repairs it.
//
// It changes nothing, disturbs no running tunnel, logs in once, and does not try again. It does not use
// D-Bus. Problems of the whole machine are for the package machine inside.
package checkup
