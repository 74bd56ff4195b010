package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// assetsVariable names the folder of the binaries. It is envtest's own variable, so that whoever has its binaries
// already needs no others.
const assetsVariable = "KUBEBUILDER_ASSETS"

// binaries are the absolute paths of the programs that a control plane needs.
type binaries struct {
	apiServer, etcd, kubectl string
}

// findBinaries looks into the folder that KUBEBUILDER_ASSETS names, else into .cluster/bin below root. Its error says
// how to get what is missing.
func findBinaries(root string) (binaries, error) {
	dir := os.Getenv(assetsVariable)
	if dir == "" {
		dir = filepath.Join(root, ".cluster", "bin")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return binaries{}, fmt.Errorf("folder of the test binaries: %w", err)
	}
	b := binaries{
		apiServer: filepath.Join(dir, "kube-apiserver"),
		etcd:      filepath.Join(dir, "etcd"),
		kubectl:   filepath.Join(dir, "kubectl"),
	}
	for _, path := range []string{b.apiServer, b.etcd, b.kubectl} {
		info, err := os.Stat(path)
		if err != nil || info.Mode()&0o111 == 0 {
			return binaries{}, fmt.Errorf("no program %s: run `make assets`, which builds kube-apiserver, etcd and kubectl, "+
				"or let %s name a folder that has them", path, assetsVariable)
		}
	}
	return b, nil
}

// errNoRepository means that the tests do not run below the repository.
var errNoRepository = errors.New("no go.mod in the working directory or above it")

// repositoryRoot is the nearest folder with a go.mod, from the working directory upwards: `go test` runs each test
// binary in its package's folder.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errNoRepository
		}
		dir = parent
	}
}
