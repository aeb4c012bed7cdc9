package native

import "strconv"

// qosNames are the words of IPQoS in ssh_config(5), as values of the TOS byte.
var qosNames = map[string]int{
	"af11": 0x28, "af12": 0x30, "af13": 0x38,
	"af21": 0x48, "af22": 0x50, "af23": 0x58,
	"af31": 0x68, "af32": 0x70, "af33": 0x78,
	"af41": 0x88, "af42": 0x90, "af43": 0x98,
	"cs0": 0x00, "cs1": 0x20, "cs2": 0x40, "cs3": 0x60, "cs4": 0x80, "cs5": 0xa0, "cs6": 0xc0, "cs7": 0xe0,
	"ef": 0xb8, "le": 0x04, "va": 0xb0,
	"lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04,
}

// parseQoS reads one value of IPQoS.
func parseQoS(value string) (int, bool) {
	if tos, ok := qosNames[value]; ok {
		return tos, true
	}
	tos, err := strconv.ParseInt(value, 0, 16)
	return int(tos), err == nil && tos >= 0 && tos <= 255
}
