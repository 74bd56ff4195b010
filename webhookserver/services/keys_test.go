package services

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// The first second of a channel.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestKeySchedule(t *testing.T) {
	key := func(generation int, made time.Duration) link.Key {
		return link.Key{Generation: generation, ID: fmt.Sprint(generation), CreatedAt: epoch.Add(made)}
	}
	one := []link.Key{key(1, 0)}
	two := []link.Key{key(2, 30*day), key(1, 0)}
	three := []link.Key{key(3, 60*day), key(2, 30*day), key(1, 0)}
	for _, c := range []struct {
		reason    string
		keys      []link.Key
		at        time.Duration
		due       bool
		signs     string
		published []string
	}{
		{"the first one signs at once", one, 0, false, "1", []string{"1"}},
		{"for 30 days", one, 30*day - 1, false, "1", []string{"1"}},
		{"then the next one is made", one, 30 * day, true, "1", []string{"1"}},
		{"and signs on while nobody makes it", one, 90 * day, true, "1", []string{"1"}},
		{"a new one is published and does not sign", two, 30 * day, false, "1", []string{"2", "1"}},
		{"for a day", two, 31*day - 1, false, "1", []string{"2", "1"}},
		{"then it signs", two, 31 * day, false, "2", []string{"2", "1"}},
		{"the old one stays published for a day", two, 32*day - 1, false, "2", []string{"2", "1"}},
		{"and goes", two, 32 * day, false, "2", []string{"2"}},
		{"so it is with every other", three, 60 * day, false, "2", []string{"3", "2"}},
		{"and again", three, 61 * day, false, "3", []string{"3", "2"}},
		{"a clock that is behind", two, 29 * day, false, "1", []string{"2", "1"}},
		{"a clock before all keys", two, -day, false, "1", []string{"2", "1"}},
	} {
		now := epoch.Add(c.at)
		if got := due(c.keys, now); got != c.due {
			t.Errorf("%s: due %t", c.reason, got)
		}
		if got := c.keys[signing(c.keys, now)].ID; got != c.signs {
			t.Errorf("%s: %s signs, want %s", c.reason, got, c.signs)
		}
		var ids []string
		for _, k := range c.keys[:published(c.keys, now)] {
			ids = append(ids, k.ID)
		}
		if !slices.Equal(ids, c.published) {
			t.Errorf("%s: published %v, want %v", c.reason, ids, c.published)
		}
	}
	if !due(nil, epoch) {
		t.Error("a channel without a key needs one")
	}
}
