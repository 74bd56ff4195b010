//go:build bench

package bench

import (
	"flag"
	"time"
)

var (
	count    = flag.Int("channellinks", 500, "how many ChannelLinks to make, at most 10000")
	creators = flag.Int("creators", 20, "how many clients make them at once")
	rounds   = flag.Int("rounds", 3, "how often floor and operator are measured in turn; the medians count")
	oneHost  = flag.Bool("one-host", false, "give all public URLs one host and a path each")
	large    = flag.Bool("large", false, "also measure the operator with 10000 ChannelLinks, and with 1000 and 10000 AccountUnlinks (some minutes)")
	program  = flag.String("operator", "", "operator to measure, instead of cmd/manager of this tree (another release, one with a profiler)")
	keep     = flag.String("logs", "", "folder to keep the programs' logs in")
)

// patience bounds every wait. On an idle machine each is over within seconds.
const patience = 10 * time.Minute

// The gates of docs/performance.md.
const (
	maxTimeRatio     = 1.5
	maxCPURatio      = 2
	maxOthers        = 0.1 // of the machine, above which a missed time is not judged
	maxResident      = 80 << 20
	maxResidentLarge = 500 << 20
	maxStatusWrites  = 2

	maxServerResident  = 30 << 20
	maxServerAnonymous = 10 << 20
	maxServerReady     = time.Second

	minUnlinkRatio = 0.5
	maxPaceLost    = 0.1

	maxAnonymousMany = 150_000_000
	maxRequestsMany  = 4 // for each AccountUnlink: its status, its Event, and room for watches and leases

	minLoginRatio    = 0.7
	maxSessionBytes  = 2 << 10
	maxSessionMemory = 1 << 10 // sessions are in the database; what grows is what the runtime keeps for the next request
)

// largeCount is the number of ChannelLinks behind maxResidentLarge, and of AccountUnlinks, over manyChannels of them, behind
// maxAnonymousMany.
const (
	largeCount   = 10_000
	manyChannels = 1_000
)
