package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compile builds the recipe's program for one platform and returns the path of
// the static binary, in dir.
//
// The flags take out whatever differs between two machines or two runs: file
// paths, the build ID and the version-control stamp. Symbol tables go too: they
// are a third of the size, and panics print their stacks without them.
func compile(ctx context.Context, r recipe, platform, tag, root, dir string) (string, error) {
	goos, goarch, ok := strings.Cut(platform, "/")
	if !ok {
		return "", fmt.Errorf("platform %q is not os/arch", platform)
	}
	out := filepath.Join(dir, r.binary()+"-"+goarch)
	cmd := exec.CommandContext(ctx, "go", "build",
		"-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -buildid= -X main.version="+tag,
		"-o", out, r.Package)
	cmd.Dir = filepath.Join(root, r.Module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch, "GOWORK=off")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go build %s for %s: %w", r.Package, platform, err)
	}
	return out, nil
}
