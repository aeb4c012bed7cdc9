// Package tunnelfile is the ground floor: what a NAME.tunnel file says and what
// every other part calls things.
//
// It parses, checks and writes tunnel files (systemd unit syntax, see
// systemd.syntax(7); forwards as ssh_config(5) and ssh(1) -L spell them), and
// holds the names that all parts share: tunnel names, unit names, object paths,
// states, exit statuses, and the report that a worker gives of itself.
//
// It imports nothing of ours, opens no connection and starts no process.
package tunnelfile
