package chatsim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Kubernetes reads resources with the rights of the pod's service account. It does without a client library: what it reads
// are two kinds, and it watches none.
type Kubernetes struct {
	base, tokenFile string
	client          *http.Client
}

// InCluster reaches the API server as a pod does: at host and port of its environment, with the token and the certificate
// that are mounted in a folder, usually /var/run/secrets/kubernetes.io/serviceaccount.
func InCluster(host, port, folder string) (*Kubernetes, error) {
	pem, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("the service account's ca.crt holds no certificate")
	}
	return &Kubernetes{
		base:      "https://" + net.JoinHostPort(host, port) + "/apis/channellink.dev/v1alpha1/namespaces/",
		tokenFile: filepath.Join(folder, "token"),
		client:    &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}},
	}, nil
}

// ChannelLink implements Resources.
func (k *Kubernetes) ChannelLink(ctx context.Context, namespace, name string) (Resource, error) {
	found := Resource{Namespace: namespace, Name: name}
	var link struct {
		Status struct {
			Conditions []kubeCondition `json:"conditions"`
		} `json:"status"`
	}
	if err := k.get(ctx, namespace, "channellinks/"+url.PathEscape(name), &link); err != nil {
		return Resource{}, err
	}
	for _, c := range link.Status.Conditions {
		found.Conditions = append(found.Conditions, Condition(c))
	}
	var list struct {
		Items []kubeUnlink `json:"items"`
	}
	if err := k.get(ctx, namespace, "accountunlinks", &list); err != nil {
		return Resource{}, err
	}
	for _, item := range list.Items {
		if item.Spec.ChannelLinkRef.Name == name {
			found.Unlinks = append(found.Unlinks, item.unlink())
		}
	}
	return found, nil
}

// get reads a path of the namespace. The token is read each time: the kubelet renews it.
func (k *Kubernetes) get(ctx context.Context, namespace, path string, into any) error {
	token, err := os.ReadFile(k.tokenFile)
	if err != nil {
		return fmt.Errorf("the pod's service account: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.base+url.PathEscape(namespace)+"/"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(token))
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("reading %s in namespace %s: %s", path, namespace, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into)
}

type kubeCondition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Since   time.Time `json:"lastTransitionTime"`
}

// kubeUnlink is what the page shows of an AccountUnlink.
type kubeUnlink struct {
	Metadata struct {
		Name    string    `json:"name"`
		Created time.Time `json:"creationTimestamp"`
	} `json:"metadata"`
	Spec struct {
		ChannelLinkRef struct {
			Name string `json:"name"`
		} `json:"channelLinkRef"`
		User struct {
			UserID string `json:"userID"`
		} `json:"user"`
	} `json:"spec"`
	Status struct {
		Summary    string          `json:"summary"`
		Conditions []kubeCondition `json:"conditions"`
	} `json:"status"`
}

func (k *kubeUnlink) unlink() Unlink {
	u := Unlink{Name: k.Metadata.Name, Created: k.Metadata.Created, Summary: k.Status.Summary, userID: k.Spec.User.UserID}
	for _, c := range k.Status.Conditions {
		switch {
		case c.Type == "Complete":
			u.Complete, u.Reason, u.Message = c.Status == "True", c.Reason, c.Message
		case c.Type == "Failed":
			u.Failed = c.Status == "True"
		}
	}
	return u
}
