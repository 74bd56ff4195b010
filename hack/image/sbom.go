package main

import (
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// bom is a software bill of materials in CycloneDX 1.6. It has neither date nor serial number: two builds of the same sources
// write the same file.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// URL is a package URL, by which databases of vulnerabilities find a component.
	URL string `json:"purl"`
}

// materials reads from the binaries themselves what they were linked from: every module, whichever platform needs it, and
// the Go release, whose standard library is in all of them. An image holds nothing else but the CA roots.
func materials(r recipe, tag string, binaries []string) (bom, error) {
	b := bom{Format: "CycloneDX", Spec: "1.6", Version: 1}
	seen := map[component]bool{}
	for _, binary := range binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return bom{}, fmt.Errorf("read what %s is made of: %w", r.Name, err)
		}
		b.Metadata.Component = component{"application", r.Name, tag, "pkg:golang/" + info.Main.Path + "@" + tag + "#" + strings.TrimPrefix(r.Package, "./")}
		seen[library("stdlib", strings.TrimPrefix(info.GoVersion, "go"))] = true
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			seen[library(m.Path, m.Version)] = true
		}
	}
	for c := range seen {
		b.Components = append(b.Components, c)
	}
	slices.SortFunc(b.Components, func(x, y component) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Version, y.Version))
	})
	return b, nil
}

func library(module, version string) component {
	return component{"library", module, version, "pkg:golang/" + module + "@" + version}
}

func (b bom) write(path string) error {
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
