package plugin

import (
	"fmt"
	"io"
	"strings"
)

// result is how a check ended.
type result string

const (
	wellResult    result = "ok"
	failedResult  result = "failed"
	unknownResult result = "unknown" // cannot be told, or not yet
)

// marks are how results are printed.
var marks = map[result]string{wellResult: "ok", failedResult: "FAIL", unknownResult: "?"}

// check is one thing that was looked at.
type check struct {
	Name   string `json:"name"`
	Result result `json:"result"`
	// Reason is the reason of a condition; empty for what the plugin looked at itself.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Do says what to do about it.
	Do string `json:"do,omitempty"`
}

// widest is the length of the longest name.
func widest(checks []check) (width int) {
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	return width
}

// printChecks writes a line for each check, and below those that are not well what is the matter. The names take width
// characters.
func printChecks(w io.Writer, checks []check, width int) {
	for _, c := range checks {
		said := c.Reason
		if said == "" {
			said = c.Message
		}
		fmt.Fprintf(w, "%-4s  %-*s  %s\n", marks[c.Result], width, c.Name, plain(said))
		if c.Result != wellResult && c.Reason != "" && c.Message != "" {
			fmt.Fprintln(w, wrapped(c.Message, "      "))
		}
		switch {
		case strings.HasPrefix(c.Do, "kubectl "): // to be copied whole
			fmt.Fprintf(w, "      > %s\n", plain(c.Do))
		case c.Do != "":
			fmt.Fprintln(w, wrapped(c.Do, "      > "))
		}
	}
}

// failed tells whether a check has failed.
func failed(checks []check) bool {
	for _, c := range checks {
		if c.Result == failedResult {
			return true
		}
	}
	return false
}
