//go:build bench

package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func reportUnlinks(t *testing.T, bare, live, paced, one []unlinkRun) {
	table := newTable(t, fmt.Sprintf("%d AccountUnlinks; median (least to most) of %d rounds", unlinkCount, *rounds))
	table.row("", "bare client", "operator", "ratio", "gate")
	took := func(r unlinkRun) time.Duration { return r.took }
	busy := func(runs []unlinkRun) float64 {
		return slices.Max(collect(runs, func(r unlinkRun) float64 { return r.others }))
	}
	share := func(runs []unlinkRun) string { return fmt.Sprintf("%.0f %%", 100*busy(runs)) }
	resident := func(r unlinkRun) int64 { return r.resident }

	a, b := spread(bare, took), spread(live, took)
	ratio := float64(a.median) / float64(b.median)
	table.row(fmt.Sprintf("made and carried out, over %d channels", unlinkChannels), a, b, fmt.Sprintf("%.2f", ratio),
		table.quietly(max(busy(bare), busy(live)), "rate", ratio >= minUnlinkRatio, fmt.Sprintf("rate ≥ %v of the bare client's", minUnlinkRatio)))
	table.row("  share of the machine that others used", share(bare), share(live))
	serverCPU := func(r unlinkRun) time.Duration { return r.serverCPU / unlinkCount }
	table.row("  CPU of API server and etcd each", spread(bare, serverCPU), spread(live, serverCPU))
	table.row("  CPU of the operator each", "", spread(live, func(r unlinkRun) time.Duration { return r.cpu / unlinkCount }))
	table.counts(live)

	rates := collect(paced, func(r unlinkRun) float64 { return r.rate })
	rate := rates[len(rates)/2]
	table.row(fmt.Sprintf("calls a second by %d couriers, of %v each", unlinkCouriers, unlinkLatency), fmt.Sprintf("%.0f possible", wanted),
		fmt.Sprintf("%.0f (%.0f to %.0f)", rate, rates[0], rates[len(rates)-1]), fmt.Sprintf("%.2f", rate/wanted),
		table.quietly(busy(paced), "pace", rate >= (1-maxPaceLost)*wanted, fmt.Sprintf("within %.0f %%", 100*maxPaceLost)))
	table.row("  share of the machine that others used", "", share(paced))
	table.counts(paced)

	table.row(fmt.Sprintf("all for one channel, %v each", unlinkBusy), "", spread(one, took))
	table.counts(one)
	table.row("  resident, at rest afterwards (most)", "", megabytes(most64(one, resident)), "",
		table.gate("memory", most64(one, resident) <= maxResident, "≤ "+megabytes(maxResident)))
	table.print()
}

// counts adds what does not vary with the machine: the worst round counts.
func (b *table) counts(runs []unlinkRun) {
	worst := func(of func(unlinkRun) int) int { return slices.Max(collect(runs, of)) }
	once := func(name string, total, most int) {
		b.row("  "+name, "", fmt.Sprintf("%d, at most %d for one", total, most), "", b.gate(name, total == runs[0].asked && most == 1, "1 each"))
	}
	once("calls of a server", worst(func(r unlinkRun) int { return r.calls }), worst(func(r unlinkRun) int { return r.mostCalls }))
	once("status writes", worst(func(r unlinkRun) int { return r.status }), worst(func(r unlinkRun) int { return r.mostOf }))
	none := worst(func(r unlinkRun) int { return r.other + r.refused })
	b.row("  other writes, refused writes", "", none, "", b.gate("other writes", none == 0, "= 0"))
	b.row("  calls to one server at once, at most", "", worst(func(r unlinkRun) int { return r.mostBusy }))
}
