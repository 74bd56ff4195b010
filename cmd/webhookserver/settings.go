package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"time"
)

// settingsPoll is how often the settings file is read while it is not yet the wanted one.
const settingsPoll = 250 * time.Millisecond

// readSettings reads the settings file and its SHA-256 in lower-case hex. With a wanted hash it waits for the file that has
// it: a kubelet may mount a ConfigMap as it was before its last change, and a server that ran with that would show the
// operator's change as made when it is not. The pod's startup probe bounds the wait.
func readSettings(ctx context.Context, path, wanted string, log *slog.Logger) (data []byte, hash string, err error) {
	ticker := time.NewTicker(settingsPoll)
	defer ticker.Stop()
	for waiting := false; ; waiting = true {
		data, err = os.ReadFile(path)
		if err != nil && (wanted == "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, "", err
		}
		sum := sha256.Sum256(data)
		hash = hex.EncodeToString(sum[:])
		if wanted == "" || hash == wanted {
			return data, hash, nil
		}
		if !waiting {
			log.InfoContext(ctx, "waiting for the current settings to be mounted", "mounted", hash, "wanted", wanted)
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-ticker.C:
		}
	}
}

// apiServer is the address of the Kubernetes API, which Kubernetes tells every pod; nothing outside of a cluster.
func apiServer(getenv func(string) string) []netip.Prefix {
	addr, err := netip.ParseAddr(getenv("KUBERNETES_SERVICE_HOST"))
	if err != nil {
		return nil
	}
	return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
}
