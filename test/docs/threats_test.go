package docs_test

import (
	"strconv"
	"testing"
)

// The threat model answers with each claim at least once, and with none that does not exist.
func TestThreatModelNamesEachClaim(t *testing.T) {
	named := map[string]bool{}
	for _, claim := range claimInComment.FindAllString(read(t, "docs", "threat-model.md"), -1) {
		named[claim] = true
	}
	for n := 1; n <= claims; n++ {
		claim := "C" + strconv.Itoa(n)
		if !named[claim] {
			t.Errorf("%s answers no threat", claim)
		}
		delete(named, claim)
	}
	for claim := range named {
		t.Errorf("there is no claim %s", claim)
	}
}
