package check

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/session"
	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/tunnelfile"
)

// TestReport: no word of the person's is in a report, wherever it comes from.
func TestReport(t *testing.T) {
	t.Setenv("HOME", "/home/marguerite")
	t.Setenv("USER", "marguerite")
	file, problems := tunnelfile.Parse("acme-db", "", `[Tunnel]
Description=Payroll of Acme
Destination=duras@bastion.acme.example
LocalForward=/run/user/4711/payroll.sock:/srv/payroll/sock
LocalForward=5432 pgprimary:5432
Tags=customer7
NeverOn=CafeFlore*
ExecUp=/home/marguerite/bin/notify saigon
[SSH]
IdentityFile=~/.ssh/id_indochine
ProxyJump=yann@trouville:2222
ServerAliveInterval=7
[Service]
Environment=SECRET=lonrho
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := newRedactor()
	r.tunnel(file, nil)
	s := &session.Session{}
	findings := []tunnelfile.Finding{
		{Subject: "keys", Message: "~/.ssh/id_indochine: SHA256:AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg is not held by the agent at /run/user/4711/agent"},
		{Subject: "login", Message: "duras@bastion.acme.example: cannot connect to 203.0.113.77 port 22: connection refused"},
		{Subject: "login", Message: "tried [2001:db8::77]:22 and gate.acme.example; yann@trouville said: hello marguerite"},
		{Subject: "file", Message: "/home/marguerite/.config/holdfast/acme-db.tunnel, line 3; /usr/bin/ssh is there"},
		{Subject: "network", Message: "NeverOn=CafeFlore*; environment SECRET=lonrho; stranger@elsewhere"},
	}
	got := report(s, r, jsonout.TunnelCheck{Findings: findings}, []jsonout.TunnelCheck{{Name: "acme-db", Findings: findings}}, []tunnelfile.Tunnel{file}, dbusapi.Snapshot{})
	for _, word := range []string{
		"marguerite", "duras", "yann", "bastion", "acme", "trouville", "pgprimary", "4711", "payroll", "Payroll", "srv", "customer7", "CafeFlore", "saigon",
		"indochine", "AbCdEf", "203.0.113", "2001:db8", "lonrho", "stranger", ".config",
	} {
		if strings.Contains(got, word) {
			t.Errorf("%q is in it", word)
		}
	}
	for _, want := range []string{"connection refused", "port 22", "/usr/bin/ssh is there", "line 3", "ServerAliveInterval=7", "Taken out", "LocalForward", "5432"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
