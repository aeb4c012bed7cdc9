package tunnelfile

import (
	"testing"
)

const contractExample = `[Tunnel]
Description=signald's socket, from home
Destination=me@remote.server            ; anything ssh takes: alias, user@host, ssh://user@host:port
LocalForward=/run/user/1000/signald.sock:/run/signald/signald.sock
LocalForward=127.0.0.1:5432 db.internal:5432     ; ssh_config spelling, and ssh -L spelling, both
RemoteForward=9090:localhost:9090
DynamicForward=1080
Start=auto                              ; auto | on-demand | manual

[SSH]                                   ; any ssh_config(5) keyword; beats ~/.ssh/config
ServerAliveInterval=10

[Unit]                                  ; a known set of unit and service settings,
[Service]                               ; handed on to the tunnel's transient unit
MemoryMax=64M
`

func TestContractExample(t *testing.T) {
	got, problems := Parse("signald", "/x/signald.tunnel", contractExample)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	_ = got
}
