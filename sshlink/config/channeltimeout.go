package config

import (
	"strings"
	"time"

	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/tunnelfile"
)

// ChannelTimeouts is ChannelTimeout of ssh_config(5): how long a channel may be without traffic
// before it is closed.
type ChannelTimeouts []channelTimeout

type channelTimeout struct {
	kind  string // of channel, a pattern
	after time.Duration
}

// allChannels is the kind that means all channels together. It is not a pattern.
const allChannels = "global"

func parseChannelTimeouts(value string) (ChannelTimeouts, error) {
	var all ChannelTimeouts
	for word := range strings.FieldsSeq(value) {
		kind, time, found := strings.Cut(word, "=")
		after, err := tunnelfile.ParseSpan(time)
		if !found || err != nil {
			return nil, fault.New(fault.Settings, "ChannelTimeout: cannot read %q: want TYPE=TIME, such as direct-tcpip=5m", word)
		}
		all = append(all, channelTimeout{strings.Trim(kind, `"`), after})
	}
	return all, nil
}

// Of is the timeout for one kind of channel, from the first pattern that matches. It is 0 for none.
func (t ChannelTimeouts) Of(kind string) time.Duration {
	for _, one := range t {
		if one.kind != allChannels && MatchPattern(one.kind, kind) {
			return one.after
		}
	}
	return 0
}

// All is the timeout for all channels together. It is 0 for none.
func (t ChannelTimeouts) All() time.Duration {
	for _, one := range t {
		if one.kind == allChannels {
			return one.after
		}
	}
	return 0
}
