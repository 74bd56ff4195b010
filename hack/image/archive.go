package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeArchive writes the index as a tarred OCI layout under the given
// reference. The file appears whole or not at all.
func writeArchive(file, reference string, idx v1.ImageIndex) error {
	dir, err := os.MkdirTemp(filepath.Dir(file), ".layout-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	folder, err := layout.Write(filepath.Join(dir, "oci"), empty.Index)
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	names := layout.WithAnnotations(map[string]string{
		// containerd and kind take the first, other tools the second.
		"io.containerd.image.name":          reference,
		"org.opencontainers.image.ref.name": reference,
	})
	if err := folder.AppendIndex(idx, names); err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	whole := filepath.Join(dir, "image.tar")
	if err := archiveFolder(whole, filepath.Join(dir, "oci")); err != nil {
		return fmt.Errorf("archive layout: %w", err)
	}
	return os.Rename(whole, file)
}

// archiveFolder writes the regular files below dir, in lexical order and dated
// to the epoch, as a tar file.
func archiveFolder(file, dir string) (err error) {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	archive := tar.NewWriter(out)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return archiveFile(archive, filepath.ToSlash(name), path)
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func archiveFile(archive *tar.Writer, name, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: 0o644, Size: info.Size(), ModTime: epoch, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, in)
	return err
}
