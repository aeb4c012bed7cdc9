package systemdctl

import (
	"fmt"
	"slices"
	"strings"
)

// capabilityNames is in the order of their numbers, see capabilities(7).
var capabilityNames = strings.Fields(`
	CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID
	CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN CAP_NET_RAW
	CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT
	CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD
	CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG
	CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE`)

// capabilities is a set of capabilities, or after "~" all others.
func capabilities(value string) (uint64, error) {
	list, inverted := strings.CutPrefix(value, "~")
	var set uint64
	for _, name := range strings.Fields(list) {
		n := slices.Index(capabilityNames, strings.ToUpper(name))
		if n < 0 {
			return 0, fmt.Errorf("%q is not a capability such as CAP_NET_BIND_SERVICE", name)
		}
		set |= 1 << n
	}
	if inverted {
		return ^set, nil
	}
	return set, nil
}

// coredumpFilterBits are the bits of /proc/PID/coredump_filter, see core(5).
var coredumpFilterBits = []string{"private-anonymous", "shared-anonymous", "private-file-backed", "shared-file-backed",
	"elf-headers", "private-huge", "shared-huge", "private-dax", "shared-dax"}

// coredumpFilter is a set of kinds of memory that a core dump holds.
func coredumpFilter(value string) (uint64, error) {
	var set uint64
	for _, name := range strings.Fields(value) {
		switch n := slices.Index(coredumpFilterBits, name); {
		case n >= 0:
			set |= 1 << n
		case name == "default":
			set |= 1<<0 | 1<<1 | 1<<4 | 1<<5
		case name == "all":
			set = 1<<len(coredumpFilterBits) - 1
		default:
			return 0, fmt.Errorf("%q is not a kind of memory such as private-anonymous", name)
		}
	}
	return set, nil
}
