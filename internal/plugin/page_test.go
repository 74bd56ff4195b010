package plugin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// page is what people read of the plugin.
var page = filepath.Join("..", "..", "docs", "kubectl-plugin.md")

// Every output on the page is one that a test has seen printed, to the letter.
func TestPageShowsWhatIsPrinted(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no outputs: %v", err)
	}
	printed := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		printed[strings.TrimRight(string(text), "\n")] = filepath.Base(file)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for i, block := range strings.Split(string(text), "```") {
		body, console := strings.CutPrefix(block, "console\n$ kubectl channellink ")
		if i%2 == 0 || !console {
			continue
		}
		body = "$ kubectl channellink " + strings.TrimRight(body, "\n")
		if file := printed[body]; file != "" {
			shown[file] = true
		} else if strings.Contains(body, "\n") {
			t.Errorf("nobody prints this:\n%s", body)
		}
	}
	for _, file := range []string{
		"status.txt", "doctor-unwell.txt", "doctor-call-refused.txt", "links.txt", "links-audit.txt", "unlink.txt", "unlink-refused.txt",
		"simulate.txt", "simulate-botbonnie.txt", "simulate-refused.txt",
	} {
		if !shown[file] {
			t.Errorf("%s does not show testdata/%s", page, file)
		}
	}
}
