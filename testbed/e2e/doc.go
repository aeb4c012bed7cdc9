// Package e2e tests the whole product as a person uses it: installed, in a box,
// through its programs, systemctl, busctl and journalctl, against real sshds.
//
// Its tests are tagged "testbed"; testbed/run-tests runs them.
package e2e
