//go:build bench

package bench

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"
)

// table collects lines and prints them at the end, with a verdict on each gate. A gate that is missed fails the test.
type table struct {
	t     *testing.T
	lines *tabwriter.Writer
}

func newTable(t *testing.T, title string) *table {
	fmt.Printf("\n%s\n", title)
	return &table{t: t, lines: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
}

func (b *table) row(cells ...any) {
	for _, cell := range cells {
		_, _ = fmt.Fprintf(b.lines, "%v\t", cell) // to the terminal
	}
	_, _ = fmt.Fprintln(b.lines)
}

func (b *table) print() {
	_ = b.lines.Flush() // to the terminal
	fmt.Println()
}

// gate is what a figure must be and whether it is, for a cell of the table.
func (b *table) gate(name string, ok bool, want string) string {
	if ok {
		return want + "  pass"
	}
	b.t.Errorf("%s: the gate is %s", name, want)
	return want + "  FAIL"
}

// quietly is gate for times, busy being the share of the machine that others had. Neighbours stretch times and, on shared
// cores, processor time too: what is missed beside them says nothing.
func (b *table) quietly(busy float64, name string, ok bool, want string) string {
	if !ok && busy > maxOthers {
		return want + "  not judged: the machine was busy"
	}
	return b.gate(name, ok, want)
}

func report(t *testing.T, floors, ours []run) {
	n := time.Duration(*count)
	table := newTable(t, fmt.Sprintf("%d ChannelLinks made by %d clients, %d children each; median (least to most) of %d rounds",
		*count, *creators, children, *rounds))
	table.row("", "floor", "operator", "ratio", "gate")
	line := func(name string, of func(run) time.Duration, gate func(floor, ours time.Duration) string) {
		a, b := spread(floors, of), spread(ours, of)
		table.row(name, a, b, fmt.Sprintf("%.2f", float64(b.median)/float64(a.median)), gate(a.median, b.median))
	}
	none := func(time.Duration, time.Duration) string { return "" }
	quiet := func(name string, ok bool, want string) string {
		return table.quietly(max(most(floors), most(ours)), name, ok, want)
	}

	line("time until all is written", func(r run) time.Duration { return r.took }, func(a, b time.Duration) string {
		return quiet("time", float64(b) <= maxTimeRatio*float64(a), fmt.Sprintf("ratio ≤ %v", maxTimeRatio))
	})
	table.row("  share of the machine that others used", others(floors), others(ours))
	line("CPU of API server and etcd each", func(r run) time.Duration { return r.serverCPU / n }, none)
	line("CPU each", func(r run) time.Duration { return r.cpu / n }, func(a, b time.Duration) string {
		return quiet("CPU", b <= maxCPURatio*a, fmt.Sprintf("ratio ≤ %v", maxCPURatio))
	})
	line("CPU a write", func(r run) time.Duration { return r.cpu / time.Duration(r.requests.writes()) }, none)
	resident := func(of func(run) int64) (string, string, int64) {
		a, b := most64(floors, of), most64(ours, of)
		return megabytes(a), megabytes(b), b
	}
	a, b, largest := resident(func(r run) int64 { return r.resident })
	table.row("resident, at rest afterwards (most)", a, b, "",
		table.gate("memory", *count > 500 || largest <= maxResident, "≤ "+megabytes(maxResident)))
	a, b, _ = resident(func(r run) int64 { return r.peak })
	table.row("resident, at its peak (most)", a, b)

	// Counts do not vary with the machine: the worst round counts.
	counts := func(name string, of func(run) int, gate func(most int) string) {
		a, b := worst(floors, of), worst(ours, of)
		table.row(name, each(a), each(b), "", gate(b))
	}
	exactly := func(name string, want int) func(int) string {
		return func(most int) string { return table.gate(name, most == want, fmt.Sprint("= ", want)) }
	}
	counts("children created each", func(r run) int { return r.requests.created }, func(most int) string {
		return table.gate("children", most == children**count, fmt.Sprint("= ", children))
	})
	counts("status writes each", func(r run) int { return r.requests.status }, func(int) string {
		worst := worst(ours, func(r run) int { return r.requests.mostStatus })
		return table.gate("status writes", worst >= 1 && worst <= maxStatusWrites, fmt.Sprintf("1 or %d for every one", maxStatusWrites))
	})
	counts("writes that change nothing", func(r run) int { return r.requests.repeated }, exactly("writes that change nothing", 0))
	counts("conflicts", func(r run) int { return r.requests.conflicts }, exactly("conflicts", 0))
	counts("other writes, refused writes", func(r run) int { return r.requests.other + r.requests.failures }, exactly("other writes", 0))
	counts("reads past the cache each", func(r run) int { return r.requests.reads }, func(int) string { return "" })
	counts("reconciles each", func(r run) int { return r.reconciles }, func(int) string { return "" })

	table.row("started again with all there")
	table.row("  writes", "", worst(ours, func(r run) int { return r.restart.requests.writes() }), "",
		exactly("writes on restart", 0)(worst(ours, func(r run) int { return r.restart.requests.writes() })))
	table.row("  reads of one object past the cache", "", worst(ours, func(r run) int { return r.restart.requests.live }), "",
		exactly("reads on restart", 0)(worst(ours, func(r run) int { return r.restart.requests.live })))
	table.row("  time until it is at rest", "", spread(ours, func(r run) time.Duration { return r.restart.took }))
	table.row("  CPU, with the start", "", spread(ours, func(r run) time.Duration { return r.restart.cpu }))
	_, b, largest = resident(func(r run) int64 { return r.restart.resident })
	table.row("  resident (most)", "", b, "", table.gate("memory on restart", *count > 500 || largest <= maxResident, "≤ "+megabytes(maxResident)))
	table.print()
}

func reportLarge(t *testing.T, r run) {
	table := newTable(t, fmt.Sprintf("%d ChannelLinks", largeCount))
	table.row("", "operator", "gate")
	table.row("time until at rest", r.took.Round(time.Second))
	table.row("CPU each", (r.cpu / largeCount).Round(10*time.Microsecond))
	table.row("resident, at rest afterwards", megabytes(r.resident), table.gate("memory", r.resident <= maxResidentLarge, "≤ "+megabytes(maxResidentLarge)))
	table.row("resident, at its peak", megabytes(r.peak))
	table.row("started again: time until at rest", r.restart.took.Round(100*time.Millisecond))
	table.row("started again: CPU", r.restart.cpu.Round(100*time.Millisecond))
	table.row("started again: resident", megabytes(r.restart.resident), table.gate("memory on restart", r.restart.resident <= maxResidentLarge, "≤ "+megabytes(maxResidentLarge)))
	table.row("started again: resident, at its peak", megabytes(r.restart.peak))
	table.print()
}

// others is the share of the machine that others had, in the worst round.
func others(runs []run) string { return fmt.Sprintf("%.0f %%", 100*most(runs)) }

func most(runs []run) float64 {
	return slices.Max(collect(runs, func(r run) float64 { return r.others }))
}

// figures are what was measured, over the rounds.
type figures struct{ least, median, most time.Duration }

func spread[R any](runs []R, of func(R) time.Duration) figures {
	values := collect(runs, of)
	return figures{values[0], values[len(values)/2], values[len(values)-1]}
}

func (f figures) String() string {
	round := 10 * time.Millisecond
	if f.most < 100*time.Millisecond {
		round = 10 * time.Microsecond
	}
	return fmt.Sprintf("%v (%v to %v)", f.median.Round(round), f.least.Round(round), f.most.Round(round))
}

func worst(runs []run, of func(run) int) int { return slices.Max(collect(runs, of)) }

func most64[R any](runs []R, of func(R) int64) int64 { return slices.Max(collect(runs, of)) }

// collect gives the figure of every round, in order of size.
func collect[R any, T cmp.Ordered](runs []R, of func(R) T) []T {
	values := make([]T, 0, len(runs))
	for _, r := range runs {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values
}

// each is a count for one ChannelLink.
func each(total int) string { return fmt.Sprintf("%.3g", float64(total)/float64(*count)) }

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
