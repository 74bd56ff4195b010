package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNameServers(t *testing.T) {
	const text = "# made by hand\nnameserver 127.0.0.53\nnameserver 192.0.2.1\nsearch example.com\nnameserver ::1\nnameserver 2001:db8::1\nnameserver\n"
	want := []string{"192.0.2.1", "2001:db8::1"}
	if got := nameServers(text); !slices.Equal(got, want) {
		t.Errorf("nameServers() = %q, want %q: a loopback server is the pod itself", got, want)
	}
}

func TestMountPoint(t *testing.T) {
	const line = `36 35 98:0 /mnt1 /state/with\040blank rw,noatime master:1 - ext3 /dev/root rw`
	if got, ok := mountPoint(line); !ok || got != "/state/with blank" {
		t.Errorf("mountPoint() = %q, %t", got, ok)
	}
	if _, ok := mountPoint("36 35"); ok {
		t.Error("a short line has a mount point")
	}
}

func TestFillTouchesKnownNamesOnly(t *testing.T) {
	c := testCluster(t)
	const hash = "$2a$10$TaAi.ATLo8NBlXIUzYBDIe"
	if got := c.fill("http://dex.localhost:${CLUSTER_PORT} ${UNKNOWN} " + hash); got != "http://dex.localhost:8080 ${UNKNOWN} "+hash {
		t.Errorf("fill() = %q", got)
	}
}

func TestManifestsAreFilledWhole(t *testing.T) {
	for _, k := range []kind{own, kindest} {
		c := testCluster(t)
		c.kind = k
		for _, name := range []string{"coredns", "traefik"} {
			writeImage(t, c.imageFile(name), "docker.io/channellink/"+name+":dev", "sha256:"+name)
		}
		for _, file := range []string{"coredns.yaml", "kind.yaml", "traefik.yaml", "volumes.yaml"} {
			raw, err := manifests.ReadFile("manifests/" + file)
			if err != nil {
				t.Fatal(err)
			}
			text, err := c.fillWorkloads(string(raw))
			if err != nil {
				t.Fatal(err)
			}
			if text = c.fill(text); strings.Contains(text, "${") {
				t.Errorf("CLUSTER=%s: %s has a name that nothing fills in:\n%s", k, file, text)
			}
		}
	}
}

func TestReadImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	writeImage(t, file, "docker.io/channellink/manager:dev", "sha256:abc")
	img, err := readImage(file)
	if err != nil {
		t.Fatal(err)
	}
	const header = "REF TYPE DIGEST SIZE\n"
	tests := []struct {
		reason  string
		listing string
		want    bool
	}{
		{"The very image.", header + "docker.io/channellink/manager:dev application/x sha256:abc 1", true},
		{"An older build under the same name.", header + "docker.io/channellink/manager:dev application/x sha256:old 1", false},
		{"Another name.", header + "docker.io/channellink/other:dev application/x sha256:abc 1", false},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if got := img.in(tc.listing); got != tc.want {
				t.Errorf("in() = %t, want %t", got, tc.want)
			}
		})
	}
}

func TestNewClusterRefusesNonsense(t *testing.T) {
	tests := []struct {
		reason string
		env    map[string]string
		fails  bool
	}{
		{reason: "Nothing set is the own cluster."},
		{reason: "kind is known.", env: map[string]string{"CLUSTER": "kind"}},
		{reason: "Another word is not.", env: map[string]string{"CLUSTER": "minikube"}, fails: true},
		{reason: "A port is a number.", env: map[string]string{"CLUSTER_PORT": "http"}, fails: true},
		{reason: "One port cannot serve both.", env: map[string]string{"CLUSTER_PORT": "8443"}, fails: true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := newCluster(func(name string) string { return tc.env[name] })
			if (err != nil) != tc.fails {
				t.Errorf("newCluster() = %v", err)
			}
		})
	}
}

// writeImage writes as much of an OCI tarball as readImage looks at.
func writeImage(t *testing.T, file, reference, digest string) {
	t.Helper()
	index := `{"manifests":[{"digest":"` + digest + `","annotations":{"io.containerd.image.name":"` + reference + `"}}]}`
	var buf bytes.Buffer
	archive := tar.NewWriter(&buf)
	for _, entry := range [][2]string{{"blobs/sha256/x", "x"}, {"index.json", index}} {
		if err := archive.WriteHeader(&tar.Header{Name: entry[0], Mode: 0o644, Size: int64(len(entry[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(entry[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
