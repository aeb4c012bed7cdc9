// Package faults breaks what a tunnel depends on, and measures what its users notice.
//
// TestMatrix and TestCompare (tagged "testbed", run by testbed/run-tests) print a
// table: fault by kind of forward, seconds until it is detected, seconds until the
// forward is usable again, connections refused and reset, bytes wrong. TestCompare has
// autossh and ssh under a restarting service manager beside it, in the same run, on the
// same server. TestSoak injects random faults while writers number their bytes;
// TestHerd lets fifty tunnels meet one server that comes back.
package faults
