package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

var hello = recipe{Name: "channellink/hello", Group: "test", Module: "hello", Package: ".", User: "65532:65532"}

// buildHello builds the test image for the platforms from a copy of its source,
// so that the source's place differs from one build to the next.
func buildHello(t *testing.T, platforms ...string) built {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	result, err := build(t.Context(), hello, options{root: root, out: t.TempDir(), tag: "v1", platforms: platforms})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// C88: two builds of the same sources, in two places, are the same to the byte.
func TestBuildIsReproducible(t *testing.T) {
	first, second := buildHello(t, allPlatforms...), buildHello(t, allPlatforms...)
	if first.Digest != second.Digest {
		t.Errorf("two builds give %s and %s", first.Digest, second.Digest)
	}
	if !bytes.Equal(read(t, first.Path), read(t, second.Path)) {
		t.Error("two builds give one digest and different tarballs")
	}
	if !bytes.Equal(read(t, first.Materials), read(t, second.Materials)) {
		t.Error("two builds give different bills of materials")
	}
}

func TestArchiveIsWhatAContainerRuntimeWants(t *testing.T) {
	result := buildHello(t, allPlatforms...)
	index, reference := open(t, result.Path)
	if want := "docker.io/channellink/hello:v1"; reference != want || result.Reference != want {
		t.Errorf("reference %q in the tarball and %q printed, want %q", reference, result.Reference, want)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
		checkImage(t, index, m)
	}
	if diff := cmp.Diff(allPlatforms, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

func checkImage(t *testing.T, index v1.ImageIndex, descriptor v1.Descriptor) {
	t.Helper()
	img, err := index.Image(descriptor.Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != descriptor.Platform.Architecture {
		t.Errorf("the configuration says %s, the index %s", config.Architecture, descriptor.Platform.Architecture)
	}
	want := v1.Config{User: "65532:65532", Entrypoint: []string{"/hello"}, WorkingDir: "/"}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	files := unpack(t, img)
	if mode := files["tmp"].mode; mode != 0o1777 {
		t.Errorf("/tmp has mode %o, want 1777", mode)
	}
	if roots := x509.NewCertPool(); !roots.AppendCertsFromPEM(files[caFile].data) {
		t.Errorf("/%s holds no certificate", caFile)
	}
	if files["hello"].mode != 0o755 || len(files["hello"].data) == 0 {
		t.Errorf("/hello has mode %o and %d bytes", files["hello"].mode, len(files["hello"].data))
	}
}

func TestChoose(t *testing.T) {
	recipes, err := readRecipes("images.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		reason string
		words  []string
		want   []string
	}{
		{"A group is all of its images.", []string{"project"}, []string{"manager", "webhookserver"}},
		{"A name's last element is enough.", []string{"dex"}, []string{"dex"}},
		{"The list gives the order, and nothing comes twice.", []string{"dex", "manager", "channellink/manager"}, []string{"manager", "dex"}},
		{"An unknown word is refused.", []string{"manager", "nginx"}, nil},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			chosen, err := choose(recipes, tc.words)
			if (err != nil) != (tc.want == nil) {
				t.Fatalf("choose(%q): %v", tc.words, err)
			}
			var got []string
			for _, r := range chosen {
				got = append(got, r.binary())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("choose(%q) (-want +got):\n%s", tc.words, diff)
			}
		})
	}
}

func TestUsersAreNumeric(t *testing.T) {
	recipes, err := readRecipes("images.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recipes {
		if strings.Trim(r.User, "0123456789:") != "" || strings.HasPrefix(r.User, "0") {
			t.Errorf("image %s runs as %q: the kubelet proves runAsNonRoot of a number only", r.Name, r.User)
		}
	}
}

func TestReadRecipesRefusesGaps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "images.json")
	if err := os.WriteFile(file, []byte(`[{"name": "x", "group": "g", "module": ".", "package": "."}]`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readRecipes(file); err == nil {
		t.Error("an image without a user is accepted: it would run as root")
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// open returns the image index in a tarball and the name that containerd gives it.
func open(t *testing.T, file string) (v1.ImageIndex, string) {
	t.Helper()
	dir := t.TempDir()
	for name, f := range entries(t, bytes.NewReader(read(t, file))) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("the tarball holds %d images", len(manifest.Manifests))
	}
	inner, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return inner, manifest.Manifests[0].Annotations["io.containerd.image.name"]
}

// unpack returns the files of an image by their paths.
func unpack(t *testing.T, img v1.Image) map[string]entry {
	t.Helper()
	in := mutate.Extract(img)
	defer func() { _ = in.Close() }()
	return entries(t, in)
}

func entries(t *testing.T, in io.Reader) map[string]entry {
	t.Helper()
	files := make(map[string]entry)
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(header.Name, "/")
		files[name] = entry{name: name, mode: header.Mode, data: data}
	}
}
