//go:build bench

package bench

import (
	"fmt"
	"testing"
	"time"

	"channellink.dev/operator/controllers"
)

// C91: 1,000 ChannelLinks and 10,000 AccountUnlinks are carried out once each, by a bounded number of requests to the API
// server, within the memory of a small pod; and an operator that finds them all there, over and done, asks nobody again.
func TestManyAccountUnlinks(t *testing.T) {
	if !*large {
		t.Skip("needs -large")
	}
	b := newUnlinkBench(t)
	launch := b.launcher(t, compile(t, redirectedPackage))
	program := launch(controllers.DefaultCouriers)
	running := func() *process { return program }
	b.serve(t, manyChannels)
	many := b.observe(t, largeCount, 0, running, func() { b.create(t, largeCount, manyChannels, andLeave) })
	program.stop(t)
	again := b.observe(t, unlinkCount, 0, running, func() {
		program = launch(controllers.DefaultCouriers)
		b.create(t, unlinkCount, manyChannels, andLeave)
	})

	table := newTable(t, fmt.Sprintf("%d AccountUnlinks over %d ChannelLinks", largeCount, manyChannels))
	table.row("", "", "operator", "", "gate")
	table.row("made and carried out", "", many.took.Round(100*time.Millisecond))
	table.row("  a second", "", fmt.Sprintf("%.0f", float64(largeCount)/many.took.Seconds()))
	table.row("  share of the machine that others used", "", fmt.Sprintf("%.0f %%", 100*many.others))
	table.row("  CPU of the operator each", "", many.cpu/largeCount)
	each := float64(many.requests) / largeCount
	table.row("  requests to the API server each", "", fmt.Sprintf("%.2f", each), "",
		table.gate("requests", each <= maxRequestsMany, fmt.Sprintf("≤ %d", maxRequestsMany)))
	table.counts([]unlinkRun{many})
	table.memory(many)
	table.row(fmt.Sprintf("started again, and %d more", unlinkCount), "", again.took.Round(100*time.Millisecond))
	table.counts([]unlinkRun{again})
	table.memory(again)
	table.print()
}

// memory adds what the operator has at rest afterwards.
func (b *table) memory(r unlinkRun) {
	b.row("  resident, at rest afterwards; most", "", megabytes(r.resident)+"; "+megabytes(r.peak))
	b.row("  without the pages of the program's file", "", megabytes(r.anonymous), "",
		b.gate("memory", r.anonymous <= maxAnonymousMany, "≤ "+megabytes(maxAnonymousMany)))
}
