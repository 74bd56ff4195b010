package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// imageFile is the tarball of one of the cluster's own images.
func (c *cluster) imageFile(name string) string { return c.path("images", name+".tar") }

// load gives the cluster container images from OCI tarballs.
func (c *cluster) load(ctx context.Context, files []string) error {
	if len(files) == 0 {
		return errors.New("load: name at least one image tarball")
	}
	switch c.kind {
	case kindest:
		return c.loadKind(ctx, files)
	case current:
		return fmt.Errorf("CLUSTER=current: this program does not know how your cluster gets its images; "+
			"push them to a registry it can pull from (crane push FILE REFERENCE) or load them on its nodes "+
			"(ctr -n k8s.io images import FILE): %s", strings.Join(files, " "))
	case own:
	}
	there, err := c.ctr(ctx, "images", "ls")
	if err != nil {
		return fmt.Errorf("load images: is the cluster up? %w", err)
	}
	for _, file := range files {
		img, err := readImage(file)
		if err != nil {
			return err
		}
		if img.in(there) {
			c.say("image %s is there", img.reference)
			continue
		}
		c.say("loading image %s", img.reference)
		if _, err := c.ctr(ctx, "images", "import", file); err != nil {
			return err
		}
	}
	return nil
}

// archived is what an OCI tarball says of itself.
type archived struct {
	reference string
	digest    string
}

// in reports whether containerd's listing holds this very image.
func (a archived) in(listing string) bool {
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[0] == a.reference && fields[2] == a.digest {
			return true
		}
	}
	return false
}

// readImage reads the name and the digest in a tarball's index.json.
func readImage(file string) (archived, error) {
	in, err := os.Open(file)
	if err != nil {
		return archived{}, err
	}
	defer func() { _ = in.Close() }()
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return archived{}, fmt.Errorf("%s is not an OCI image: it holds no index.json", file)
		}
		if err != nil {
			return archived{}, fmt.Errorf("read %s: %w", file, err)
		}
		if filepath.Clean(header.Name) != "index.json" {
			continue
		}
		return parseIndex(archive)
	}
}

func parseIndex(in io.Reader) (archived, error) {
	var index struct {
		Manifests []struct {
			Digest      string            `json:"digest"`
			Annotations map[string]string `json:"annotations"`
		} `json:"manifests"`
	}
	if err := json.NewDecoder(in).Decode(&index); err != nil {
		return archived{}, fmt.Errorf("read index.json: %w", err)
	}
	if len(index.Manifests) != 1 {
		return archived{}, fmt.Errorf("index.json names %d images, want one", len(index.Manifests))
	}
	m := index.Manifests[0]
	return archived{reference: m.Annotations["io.containerd.image.name"], digest: m.Digest}, nil
}
