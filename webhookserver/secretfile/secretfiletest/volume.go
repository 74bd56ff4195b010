// Package secretfiletest changes directories as the kubelet changes a mounted
// Secret, ConfigMap or projected volume.
package secretfiletest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Volume is a directory in the layout of Kubernetes' AtomicWriter: the files are
// symbolic links through ..data, itself a link to a directory that each change
// makes anew.
type Volume struct {
	Dir string

	data    string
	version int
}

// NewVolume returns a volume in a new temporary directory with the given files.
func NewVolume(tb testing.TB, files map[string]string) *Volume {
	tb.Helper()
	v := &Volume{Dir: tb.TempDir()}
	v.Publish(tb, files)
	return v
}

// Path returns where a file of the volume is.
func (v *Volume) Path(name string) string { return filepath.Join(v.Dir, name) }

// Publish makes the volume hold these files and no other, in the kubelet's order:
// new data directory, ..data renamed over, new links, links of removed keys taken
// away, old data directory removed.
func (v *Volume) Publish(tb testing.TB, files map[string]string) {
	tb.Helper()
	if err := v.publish(files); err != nil {
		tb.Fatal(err)
	}
}

func (v *Volume) publish(files map[string]string) error {
	old := v.data
	v.version++
	v.data = fmt.Sprintf("..2026_01_31_%04d", v.version)
	if err := os.Mkdir(v.Path(v.data), 0o700); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(v.Dir, v.data, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	if err := os.Symlink(v.data, v.Path("..data_tmp")); err != nil {
		return err
	}
	if err := os.Rename(v.Path("..data_tmp"), v.Path("..data")); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := os.Symlink(filepath.Join("..data", name), v.Path(name))
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	entries, err := os.ReadDir(v.Dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, kept := files[entry.Name()]; kept || strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		if err := os.Remove(v.Path(entry.Name())); err != nil {
			return err
		}
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(v.Path(old))
}
