package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// The annotations are the contract between Kubernetes and a provisioner outside
// of it (pkg/controller/volume/persistentvolume in Kubernetes).
const (
	provisionerName = "channellink.dev/local"
	storageClass    = "local"
	provisionedBy   = "pv.kubernetes.io/provisioned-by"
	wantedFrom      = "volume.kubernetes.io/storage-provisioner"
	selectedNode    = "volume.kubernetes.io/selected-node"
)

// provisioner makes a folder of the node into a PersistentVolume for each claim,
// and wipes it when the claim has gone. The volumes are of type local, because
// those honour fsGroup and hostPath does not: a server that runs as user 65532
// could not write.
type provisioner struct {
	api  *api
	dir  string
	node string
	log  *slog.Logger
}

// metadata, claim and volume are what the provisioner reads and writes of the
// API's types.
type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace,omitempty"`
	UID               string            `json:"uid,omitempty"`
	DeletionTimestamp string            `json:"deletionTimestamp,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
}

type claim struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		VolumeName  string   `json:"volumeName"`
		VolumeMode  string   `json:"volumeMode"`
		AccessModes []string `json:"accessModes"`
		Resources   struct {
			Requests map[string]string `json:"requests"`
		} `json:"resources"`
	} `json:"spec"`
}

type volume struct {
	APIVersion string       `json:"apiVersion"`
	Kind       string       `json:"kind"`
	Metadata   metadata     `json:"metadata"`
	Spec       volumeSpec   `json:"spec"`
	Status     volumeStatus `json:"status,omitzero"`
}

type volumeSpec struct {
	StorageClassName string            `json:"storageClassName"`
	ReclaimPolicy    string            `json:"persistentVolumeReclaimPolicy"`
	AccessModes      []string          `json:"accessModes"`
	Capacity         map[string]string `json:"capacity"`
	ClaimRef         map[string]string `json:"claimRef"`
	Local            struct {
		Path string `json:"path"`
	} `json:"local"`
	NodeAffinity map[string]any `json:"nodeAffinity"`
}

type volumeStatus struct {
	Phase string `json:"phase"`
}

func (p *provisioner) watchClaims(ctx context.Context) {
	again(ctx, p.log, func() error {
		return watch(ctx, p.api, "/api/v1/persistentvolumeclaims", func(ctx context.Context, c claim) {
			if !p.wants(c) {
				return
			}
			if err := p.provision(ctx, c); err != nil {
				p.log.Error("volume not made", "claim", c.Metadata.Namespace+"/"+c.Metadata.Name, "err", err)
			}
		})
	})
}

func (p *provisioner) watchVolumes(ctx context.Context) {
	again(ctx, p.log, func() error {
		return watch(ctx, p.api, "/api/v1/persistentvolumes", func(ctx context.Context, v volume) {
			if !p.mayWipe(v) {
				return
			}
			if err := p.wipe(ctx, v); err != nil {
				p.log.Error("volume not wiped", "volume", v.Metadata.Name, "err", err)
			}
		})
	})
}

// again repeats a watch, which ends every few minutes and whenever the API
// server restarts. What failed in between is seen again at its beginning.
func again(ctx context.Context, log *slog.Logger, run func() error) {
	const pause = time.Second
	for {
		err := run()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			log.Debug("watching again", "err", err)
		}
	}
}

// wants reports whether a claim waits for this provisioner: it has no volume,
// and the scheduler has chosen the node.
func (p *provisioner) wants(c claim) bool {
	return c.Metadata.DeletionTimestamp == "" &&
		c.Spec.VolumeName == "" &&
		c.Spec.VolumeMode != "Block" &&
		c.Metadata.Annotations[wantedFrom] == provisionerName &&
		c.Metadata.Annotations[selectedNode] == p.node
}

// provision makes the folder and the volume, in this order: a volume without its
// folder would fail the pod.
func (p *provisioner) provision(ctx context.Context, c claim) error {
	v := p.volumeFor(c)
	// Root's, until the kubelet gives it to the pod's fsGroup.
	if err := os.MkdirAll(v.Spec.Local.Path, 0o770); err != nil {
		return err
	}
	if err := p.api.create(ctx, "/api/v1/persistentvolumes", v); err != nil {
		return err
	}
	p.log.Info("volume made", "claim", c.Metadata.Namespace+"/"+c.Metadata.Name, "volume", v.Metadata.Name)
	return nil
}

// volumeFor returns the volume of a claim. The claim's UID names it, so that a
// later claim of the same name gets another one.
func (p *provisioner) volumeFor(c claim) volume {
	v := volume{
		APIVersion: "v1",
		Kind:       "PersistentVolume",
		Metadata: metadata{
			Name:        "pvc-" + c.Metadata.UID,
			Annotations: map[string]string{provisionedBy: provisionerName},
		},
		Spec: volumeSpec{
			StorageClassName: storageClass,
			ReclaimPolicy:    "Delete",
			AccessModes:      c.Spec.AccessModes,
			Capacity:         map[string]string{"storage": c.Spec.Resources.Requests["storage"]},
			ClaimRef: map[string]string{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"namespace": c.Metadata.Namespace, "name": c.Metadata.Name, "uid": c.Metadata.UID,
			},
			NodeAffinity: map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{map[string]any{
				"matchExpressions": []any{map[string]any{
					"key": "kubernetes.io/hostname", "operator": "In", "values": []string{p.node},
				}},
			}}}},
		},
	}
	v.Spec.Local.Path = p.folder(v)
	return v
}

func (p *provisioner) folder(v volume) string { return filepath.Join(p.dir, v.Metadata.Name) }

// mayWipe reports whether a volume is ours, was given up by its claim, and was
// not asked to be retained.
func (p *provisioner) mayWipe(v volume) bool {
	return v.Status.Phase == "Released" &&
		v.Metadata.DeletionTimestamp == "" &&
		v.Metadata.Annotations[provisionedBy] == provisionerName &&
		v.Spec.ReclaimPolicy == "Delete" &&
		v.Spec.Local.Path == p.folder(v)
}

// wipe removes the data and then the volume: were it the other way round, a
// failure would leave somebody's data with nothing that points to it.
func (p *provisioner) wipe(ctx context.Context, v volume) error {
	if err := os.RemoveAll(v.Spec.Local.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("wipe %s: %w", v.Spec.Local.Path, err)
	}
	if err := p.api.remove(ctx, "/api/v1/persistentvolumes/"+v.Metadata.Name); err != nil {
		return err
	}
	p.log.Info("volume wiped", "volume", v.Metadata.Name)
	return nil
}
