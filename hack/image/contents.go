package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// epoch dates every file and every image, so that the clock leaves no trace.
var epoch = time.Unix(0, 0).UTC()

// caFile is where crypto/x509 looks first on Linux.
const caFile = "etc/ssl/certs/ca-certificates.crt"

// entry is one file or, when its name ends in a slash, one folder of a layer.
type entry struct {
	name string
	mode int64
	data []byte
}

// systemLayer holds what a static program expects of its surroundings: the CA
// roots and a /tmp. It is the same bytes in every image.
func systemLayer() (v1.Layer, error) {
	return layer([]entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: caFile, mode: 0o644, data: caRoots()},
		{name: "tmp/", mode: 0o1777},
	})
}

// programLayer holds the binary alone, so that a new build moves one layer.
func programLayer(name, binary string) (v1.Layer, error) {
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	return layer([]entry{{name: name, mode: 0o755, data: data}})
}

// caRoots returns Mozilla's roots as PEM. A root that Mozilla trusts only under
// a condition is left out, because a PEM file cannot carry the condition.
func caRoots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		// Encoding into memory cannot fail.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
	}
	return out.Bytes()
}

// layer writes the entries, all of root, as one OCI layer. It compresses fast
// rather than small: most of these layers travel only to the same machine.
func layer(entries []entry) (v1.Layer, error) {
	var buf bytes.Buffer
	archive := tar.NewWriter(&buf)
	for _, e := range entries {
		header := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), ModTime: epoch, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("layer entry %s: %w", e.name, err)
		}
		if _, err := archive.Write(e.data); err != nil {
			return nil, fmt.Errorf("layer entry %s: %w", e.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open,
		tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestSpeed),
		tarball.WithCompressedCaching)
}
