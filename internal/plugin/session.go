package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// shown are the flags of the connection that the usage lists; the rest of kubectl's are there too.
var shown = map[string]bool{"namespace": true, "context": true, "kubeconfig": true}

// session is one run of a command: where it looks, and as whom.
type session struct {
	Env
	name string   // of the ChannelLink
	rest []string // further arguments

	namespace string
	client    client.Client
	core      corev1client.CoreV1Interface

	connection *pflag.FlagSet
	loader     clientcmd.ClientConfig
}

// newSession registers the flags that kubectl has for a connection.
func newSession(env Env, flags *pflag.FlagSet) *session {
	s := &session{Env: env, connection: pflag.NewFlagSet("connection", pflag.ContinueOnError)}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{}
	s.connection.StringVar(&rules.ExplicitPath, "kubeconfig", "", "path of the kubeconfig file")
	clientcmd.BindOverrideFlags(overrides, s.connection, clientcmd.RecommendedConfigOverrideFlags(""))
	s.connection.VisitAll(func(f *pflag.Flag) { f.Hidden = !shown[f.Name] })
	flags.AddFlagSet(s.connection)
	s.loader = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	return s
}

// connect finds the cluster. Nothing is asked of it yet.
func (s *session) connect() error {
	var err error
	if s.namespace, _, err = s.loader.Namespace(); err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config, err := s.loader.ClientConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1 // one question after another needs no brake, and a wait for it would count against --timeout
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), networkingv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	if s.client, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	s.core, err = corev1client.NewForConfig(config)
	return err
}

// connectionArgs are the flags of the connection as they were given, for kubectl.
func (s *session) connectionArgs() []string {
	args := []string{"--namespace=" + s.namespace}
	s.connection.VisitAll(func(f *pflag.Flag) {
		if !f.Changed || f.Name == "namespace" {
			return
		}
		values := []string{f.Value.String()}
		if many, ok := f.Value.(pflag.SliceValue); ok {
			values = many.GetSlice()
		}
		for _, value := range values {
			args = append(args, "--"+f.Name+"="+value)
		}
	})
	return args
}

// link reads the ChannelLink.
func (s *session) link(ctx context.Context) (*v1alpha1.ChannelLink, error) {
	var l v1alpha1.ChannelLink
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.name}, &l)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("no ChannelLink %q in namespace %q: kubectl get channellinks --all-namespaces lists them", s.name, s.namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read the ChannelLink: %w", err)
	}
	return &l, nil
}

// pause waits until the next look at something, or returns false when it is no use any more.
func (s *session) pause(ctx context.Context) bool {
	timer := time.NewTimer(s.Every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
