package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
)

// recipe is one entry of images.json: what goes into an image.
type recipe struct {
	// Name is the image's repository, for example channellink/manager.
	Name string `json:"name"`
	// Group lets one word on the command line stand for several images.
	Group string `json:"group"`
	// Module is the folder of the Go module, relative to the repository.
	Module string `json:"module"`
	// Package is the main package, as `go build` in that folder takes it.
	Package string `json:"package"`
	// User is the numeric uid:gid that the entrypoint runs as. Numeric because
	// the kubelet can prove runAsNonRoot only of a number.
	User string `json:"user"`
}

// binary is the file name of the image's program, which is also its entrypoint.
func (r recipe) binary() string { return path.Base(r.Name) }

// reference is the image's full name. It spells out the registry that a short
// name in a pod means, because a container runtime compares full names.
func (r recipe) reference(tag string) string { return "docker.io/" + r.Name + ":" + tag }

// readRecipes reads the list of images and refuses one that has a gap.
func readRecipes(file string) ([]recipe, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var recipes []recipe
	if err := json.Unmarshal(raw, &recipes); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for _, r := range recipes {
		if r.Name == "" || r.Group == "" || r.Module == "" || r.Package == "" || r.User == "" {
			return nil, fmt.Errorf("read %s: entry %+v: every field must be set", file, r)
		}
	}
	return recipes, nil
}

// choose returns the recipes that a word of names means, in the list's order. A
// word is a group, a name, or a name's last element.
func choose(recipes []recipe, names []string) ([]recipe, error) {
	means := func(word string, r recipe) bool {
		return word == r.Group || word == r.Name || word == r.binary()
	}
	for _, word := range names {
		if !slices.ContainsFunc(recipes, func(r recipe) bool { return means(word, r) }) {
			return nil, fmt.Errorf("no image or group is called %q; there are %s", word, known(recipes))
		}
	}
	var chosen []recipe
	for _, r := range recipes {
		if slices.ContainsFunc(names, func(word string) bool { return means(word, r) }) {
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

// known lists the words that choose understands.
func known(recipes []recipe) string {
	var words []string
	for _, r := range recipes {
		words = append(words, r.Group, r.binary())
	}
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}
