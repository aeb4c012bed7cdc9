package netwatch

import (
	"testing"
	"time"
)

func TestSettling(t *testing.T) {
	online := Network{State: Online, Primary: wlan}
	office := Network{State: Online, Primary: Connection{ID: "Office"}}
	nowhere := Network{State: Online}
	offline := Network{State: Offline}
	portal := Network{State: Portal}
	unknown := Network{State: Unknown, Primary: wlan}

	type step struct {
		at       time.Duration // since the test began
		offer    *Network      // nil: only time passes
		checking bool
		told     *Network // what is due then; nil: nothing
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"the first is told at once", []step{{0, &offline, false, &offline}}},
		{"online is told at once", []step{{0, &offline, false, &offline}, {1, &online, false, &online}}},
		{"another network is told at once", []step{{0, &online, false, &online}, {1, &office, false, &office}}},
		{"the same is told once", []step{{0, &online, false, &online}, {1, &online, false, nil}}},
		{"offline settles", []step{
			{0, &online, false, &online},
			{1, &offline, false, nil},
			{offlineDelay, nil, false, nil},
			{1 + offlineDelay, nil, false, &offline},
		}},
		{"offline for a moment is not told", []step{
			{0, &online, false, &online},
			{1, &offline, false, nil},
			{2, &online, false, nil},
			{time.Hour, nil, false, nil},
		}},
		{"moving is told without the gap", []step{
			{0, &online, false, &online},
			{1, &offline, false, nil},
			{2, &office, false, &office},
			{time.Hour, nil, false, nil},
		}},
		{"a connection that goes is not told before where it leads to", []step{
			{0, &online, false, &online},
			{1, &nowhere, false, nil},
			{2, &offline, false, nil},
			{1 + offlineDelay, nil, false, &offline},
		}},
		{"a connection that is gone for good is told", []step{
			{0, &online, false, &online},
			{1, &nowhere, false, nil},
			{1 + offlineDelay, nil, false, &nowhere},
		}},
		{"the clock runs from when it began, the last word counts", []step{
			{0, &online, false, &online},
			{1, &offline, false, nil},
			{offlineDelay, &portal, false, nil},
			{1 + offlineDelay, nil, false, &portal},
		}},
		{"offline to portal is told at once", []step{{0, &offline, false, &offline}, {1, &portal, false, &portal}}},
		{"a check is awaited, and says portal", []step{
			{0, &offline, false, &offline},
			{1, &unknown, true, nil},
			{2, &portal, false, &portal},
		}},
		{"a check is awaited, and says online", []step{
			{0, &unknown, true, nil},
			{2, &online, false, &online},
		}},
		{"a check takes too long", []step{
			{0, &offline, false, &offline},
			{1, &unknown, true, nil},
			{checkDelay, &unknown, true, nil},
			{1 + checkDelay, nil, false, &unknown},
		}},
		{"a check of a network in use holds nothing up", []step{
			{0, &online, false, &online},
			{1, &unknown, true, &unknown},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s debounce
			start := time.Now()
			for _, step := range test.steps {
				now := start.Add(step.at)
				if step.offer != nil {
					s.offer(*step.offer, step.checking, now)
				}
				got, ok := s.due(now)
				switch {
				case ok && step.told == nil:
					t.Errorf("at %v: told %+v", step.at, got)
				case !ok && step.told != nil:
					t.Errorf("at %v: nothing told", step.at)
				case ok && !got.Equal(*step.told):
					t.Errorf("at %v: told %+v, want %+v", step.at, got, *step.told)
				}
			}
			if !s.until.IsZero() {
				t.Errorf("something is planned still: %+v", s)
			}
		})
	}
}
