// Command image writes the project's container images as OCI tarballs, with no
// daemon and no base image: a static binary, the CA roots, an empty /tmp and a
// numeric user. Two runs over the same sources give the same digest.
//
//	go run . project                            # every project image, for this machine
//	go run . --platforms=all project            # the same for linux/amd64 and linux/arm64
//	go run . --tag=v0.2.0 --out=dist manager    # one image, by its name in images.json
//
// Each line on standard output names one image: its tarball, its reference and
// the digest of its index; NAME.cdx.json beside the tarball lists all that its
// program is made of. `ctr images import`, `kind load image-archive`,
// `docker load` and `skopeo copy oci-archive:…` all take the tarball, and
// `crane push` the folder that it unpacks to.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

// allPlatforms are the platforms that a release carries.
var allPlatforms = []string{"linux/amd64", "linux/arm64"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// options are the command's flags and arguments.
type options struct {
	root      string   // of the repository; the list's folders are relative to it
	list      string   // path of images.json
	out       string   // folder of the tarballs
	tag       string   // of every image
	platforms []string // as os/arch
	names     []string // images or groups
}

func run(ctx context.Context, args []string) error {
	opts, err := parse(args)
	if err != nil {
		return err
	}
	recipes, err := readRecipes(opts.list)
	if err != nil {
		return err
	}
	chosen, err := choose(recipes, opts.names)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(opts.out, 0o755); err != nil {
		return err
	}
	for _, r := range chosen {
		fmt.Fprintf(os.Stderr, "image: %s for %s\n", r.Name, strings.Join(opts.platforms, ", "))
		built, err := build(ctx, r, opts)
		if err != nil {
			return fmt.Errorf("image %s: %w", r.Name, err)
		}
		fmt.Println(built.Path, built.Reference, built.Digest)
	}
	return nil
}

func parse(args []string) (options, error) {
	var opts options
	var platforms string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&opts.root, "root", "../..", "`folder` of the repository")
	flags.StringVar(&opts.list, "list", "", "`file` with the list of images (default ROOT/hack/image/images.json)")
	flags.StringVar(&opts.out, "out", "", "`folder` for the tarballs (default ROOT/dist/images)")
	flags.StringVar(&opts.tag, "tag", "dev", "`tag` of the images, also the version that the binaries report")
	flags.StringVar(&platforms, "platforms", "host", "comma-separated os/arch, or host, or all")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	root, err := filepath.Abs(opts.root)
	if err != nil {
		return options{}, err
	}
	opts.root = root
	if opts.list == "" {
		opts.list = filepath.Join(root, "hack/image/images.json")
	}
	if opts.out == "" {
		opts.out = filepath.Join(root, "dist/images")
	}
	switch platforms {
	case "host":
		opts.platforms = []string{"linux/" + runtime.GOARCH}
	case "all":
		opts.platforms = allPlatforms
	default:
		opts.platforms = strings.Split(platforms, ",")
	}
	opts.names = flags.Args()
	if len(opts.names) == 0 {
		return options{}, errors.New("name at least one image or group of images.json, for example: project")
	}
	return opts, nil
}
