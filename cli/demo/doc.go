// Package demo shows the product at work, step by step and with times: a throw-away SSH server, a
// tunnel through it, a fault, a recovery.
//
// The server is part of the demo, because the machine's sshd may be missing and needs an account. It
// accepts one key, forwards to one port, and can vanish and come back. The tunnel is a real one, with a
// tunnel file, a unit, a worker and SSH. The demo cleans up whatever happens.
//
// It is a client of the daemon. Of systemd it uses systemctl only.
package demo
