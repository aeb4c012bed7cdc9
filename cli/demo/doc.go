// Package demo shows the product at work, step by step and with times: a
// throw-away SSH server, a tunnel through it, a fault, a recovery.
//
// The server is part of the demo rather than the machine's sshd: it needs
// nothing installed and no account, it lets in one key and leads to one port,
// and it can be made to vanish and come back. The tunnel is real in every
// respect: a tunnel file, a unit, a worker, SSH. Whatever happens, nothing is
// left behind.
//
// It is a client of the daemon and knows nothing of systemd but systemctl.
package demo
