package plugin

import (
	"strings"
	"testing"
)

// What others have written, such as the reason of an AccountUnlink in the audit trail, cannot steer the terminal of who
// reads it, nor hide what it says there.
func TestWhatIsPrintedIsPlain(t *testing.T) {
	const written = "leaver\x1b[2J\x1b]0;gone\a\u202e HR-1234\r\nlinked\u009b1m"
	var out strings.Builder
	if err := table(&out, [][]string{{"AT", "WHY"}, {"today", written}}); err != nil {
		t.Fatal(err)
	}
	printChecks(&out, []check{{Name: "Ready", Result: failedResult, Message: written, Do: written + strings.Repeat(" x", textWidth)}}, 5)
	if strings.ContainsAny(out.String(), "\x1b\a\r\u202e\u009b") {
		t.Errorf("it is printed as it was written:\n%q", out.String())
	}
	if !strings.Contains(out.String(), "HR-1234") {
		t.Errorf("its words are gone:\n%q", out.String())
	}
}
