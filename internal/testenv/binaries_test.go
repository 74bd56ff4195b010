package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindBinaries(t *testing.T) {
	programs := []string{"kube-apiserver", "etcd", "kubectl"}
	fill := func(t *testing.T, dir string, mode os.FileMode, names ...string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name    string
		reason  string
		prepare func(t *testing.T, root string) (assets string)
		want    string // the folder below root where the programs are found
		missing string // else the program that the error names
	}{
		{
			name:   "own",
			reason: "the repository's own binaries serve when nothing else is said",
			prepare: func(t *testing.T, root string) string {
				fill(t, filepath.Join(root, ".cluster", "bin"), 0o700, programs...)
				return ""
			},
			want: ".cluster/bin",
		},
		{
			name:   "variable",
			reason: "the variable wins over the repository's own binaries",
			prepare: func(t *testing.T, root string) string {
				fill(t, filepath.Join(root, ".cluster", "bin"), 0o700, programs...)
				fill(t, filepath.Join(root, "assets"), 0o700, programs...)
				return filepath.Join(root, "assets")
			},
			want: "assets",
		},
		{
			name:    "none",
			reason:  "a clean clone learns what to run instead of skipping its tests",
			prepare: func(*testing.T, string) string { return "" },
			missing: "kube-apiserver",
		},
		{
			name:   "incomplete",
			reason: "an incomplete folder names the program that is not there",
			prepare: func(t *testing.T, root string) string {
				fill(t, filepath.Join(root, "assets"), 0o700, "kube-apiserver", "kubectl")
				return filepath.Join(root, "assets")
			},
			missing: "etcd",
		},
		{
			name:   "not executable",
			reason: "a file that cannot be run is no program",
			prepare: func(t *testing.T, root string) string {
				fill(t, filepath.Join(root, "assets"), 0o600, programs...)
				return filepath.Join(root, "assets")
			},
			missing: "kube-apiserver",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			t.Setenv(assetsVariable, tt.prepare(t, root))
			got, err := findBinaries(root)
			if tt.missing == "" {
				if err != nil {
					t.Fatalf("%s: %v", tt.reason, err)
				}
				if want := filepath.Join(root, tt.want, "etcd"); got.etcd != want {
					t.Errorf("%s: got %s, want %s", tt.reason, got.etcd, want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.missing+":") || !strings.Contains(err.Error(), "make assets") {
				t.Errorf("%s: got error %v", tt.reason, err)
			}
		})
	}
}
