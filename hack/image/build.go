package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// built says where an image is and what it is called.
type built struct {
	Path      string // of the tarball
	Reference string // full name with tag
	Digest    string // of the image index
	Materials string // path of the bill of materials
}

// build compiles the recipe's program for each platform and writes one tarball
// with an index over them, and beside it what the program is made of.
func build(ctx context.Context, r recipe, opts options) (built, error) {
	scratch, err := os.MkdirTemp("", "image-")
	if err != nil {
		return built{}, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()

	images := make(map[string]v1.Image, len(opts.platforms))
	var binaries []string
	for _, platform := range opts.platforms {
		binary, err := compile(ctx, r, platform, opts.tag, opts.root, scratch)
		if err != nil {
			return built{}, err
		}
		binaries = append(binaries, binary)
		if images[platform], err = image(r, platform, binary); err != nil {
			return built{}, err
		}
	}
	idx := index(opts.platforms, images)
	digest, err := idx.Digest()
	if err != nil {
		return built{}, err
	}
	out := built{
		Path:      filepath.Join(opts.out, r.binary()+".tar"),
		Reference: r.reference(opts.tag),
		Digest:    digest.String(),
		Materials: filepath.Join(opts.out, r.binary()+".cdx.json"),
	}
	parts, err := materials(r, opts.tag, binaries)
	if err != nil {
		return built{}, err
	}
	if err := parts.write(out.Materials); err != nil {
		return built{}, err
	}
	return out, writeArchive(out.Path, out.Reference, idx)
}

// image puts the binary and its surroundings together for one platform.
func image(r recipe, platform, binary string) (v1.Image, error) {
	system, err := systemLayer()
	if err != nil {
		return nil, err
	}
	program, err := programLayer(r.binary(), binary)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(base, system, program)
	if err != nil {
		return nil, fmt.Errorf("append layers: %w", err)
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, _ = strings.Cut(platform, "/")
	file.Created = v1.Time{Time: epoch}
	for i := range file.History {
		file.History[i].Created = v1.Time{Time: epoch}
	}
	file.Config = v1.Config{
		User:       r.User,
		Entrypoint: []string{"/" + r.binary()},
		WorkingDir: "/",
	}
	return mutate.ConfigFile(img, file)
}

// index joins the images in the order of the platforms. An image for a single
// platform gets an index too, so that its digest means the same thing.
func index(platforms []string, images map[string]v1.Image) v1.ImageIndex {
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		goos, goarch, _ := strings.Cut(platform, "/")
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{
			Add:        images[platform],
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: goos, Architecture: goarch}},
		})
	}
	return idx
}
