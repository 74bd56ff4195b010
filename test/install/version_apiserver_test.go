//go:build apiserver

package install_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"
)

var (
	releasedVersion = regexp.MustCompile(`(?m)^version +(\S+)$`)
	// newestNotes is the first release in the notes of docs/upgrade.md, and imageVersion a release in docs/install.md.
	newestNotes  = regexp.MustCompile(`(?m)^### (\S+)$`)
	imageVersion = regexp.MustCompile(`\bv[0-9]+\.[0-9]+\.[0-9]+\b`)
)

// The chart says which release this tree becomes; the manifests and the pages say the same. It is none that was released
// before: whoever upgrades would keep the image that he has.
func TestTheNextRelease(t *testing.T) {
	about := values(t, "charts/channellink/Chart.yaml")
	next, tag := about["version"].(string), about["appVersion"].(string)
	if tag != "v"+next {
		t.Errorf("version %s of the chart installs the operator %s", next, tag)
	}
	last := group(t, "hack/last-release", releasedVersion)
	if !version.MustParseSemantic(last).LessThan(version.MustParseSemantic(next)) {
		t.Errorf("the chart is of version %s, and %s has been released", next, last)
	}
	if notes := group(t, "docs/upgrade.md", newestNotes); notes != next {
		t.Errorf("the newest notes of docs/upgrade.md are for %s, want %s", notes, next)
	}

	deployment := byName(t, kustomize(t, "config/default"))["Deployment "+operatorNamespace+"/"+operator]
	containers, _, _ := unstructured.NestedSlice(deployment, "spec", "template", "spec", "containers")
	if image := containers[0].(map[string]any)["image"]; image != "docker.io/channellink/manager:"+tag {
		t.Errorf("config/default installs %v, want the tag %s", image, tag)
	}
	named := imageVersion.FindAllString(text(t, "docs/install.md"), -1)
	if len(named) == 0 {
		t.Error("docs/install.md names no release: the test looks at nothing")
	}
	for _, found := range named {
		if found != tag {
			t.Errorf("docs/install.md names %s, want %s", found, tag)
		}
	}
}

// group is what the first group of the expression finds first in a file of the repository.
func group(t *testing.T, file string, expression *regexp.Regexp) string {
	t.Helper()
	match := expression.FindStringSubmatch(text(t, file))
	if match == nil {
		t.Fatalf("%s has no %s", file, expression)
	}
	return match[1]
}

func text(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
