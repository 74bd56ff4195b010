package apply_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
)

// BenchmarkApplyUnchanged is what an object costs that is as it should be: it is rendered, hashed, and compared with the
// cached one. This is all that a resync of a ChannelLink does, for each of its objects.
func BenchmarkApplyUnchanged(b *testing.B) {
	objects, err := desired.Build(desired.Input{
		Link: &v1alpha1.ChannelLink{
			ObjectMeta: metav1.ObjectMeta{Name: "vision-hr", Namespace: "vision", UID: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"},
			Spec: v1alpha1.ChannelLinkSpec{
				Platform: v1alpha1.PlatformLINE, PageID: "507oftxz", PublicURL: "https://link.vision.example",
				LINE: &v1alpha1.LINE{ChannelSecretRef: &v1alpha1.SecretKeyReference{Name: "vision-line", Key: "channelSecret"}},
				OIDC: v1alpha1.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot"},
			},
		},
		Operator:     desired.Operator{ServerImage: "channellink/webhookserver:dev", Namespace: "channellink-system"},
		OperatorKeys: []byte(`{"keys":[]}`),
	})
	if err != nil {
		b.Fatal(err)
	}
	for name, config := range map[string]runtime.ApplyConfiguration{
		"ServiceAccount": objects.ServiceAccount, "ConfigMap": objects.ConfigMap, "Deployment": objects.Deployment,
	} {
		b.Run(name, func(b *testing.B) {
			cluster := &memory{}
			applier := &apply.Applier{Client: cluster, Live: cluster, FieldOwner: "bench", HashAnnotation: "bench/hash"}
			everything := func(metav1.Object) bool { return true }
			if outcome, err := applier.Apply(b.Context(), config, everything); err != nil || outcome != apply.Created {
				b.Fatal(outcome, err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if outcome, err := applier.Apply(b.Context(), config, everything); err != nil || outcome != apply.Unchanged {
					b.Fatal(outcome, err)
				}
			}
		})
	}
}

// memory is a cluster with room for one object. Like a cache, it gives a deep copy.
type memory struct {
	client.Client // methods that Apply does not call
	object        client.Object
}

func (m *memory) Scheme() *runtime.Scheme { return clientgoscheme.Scheme }

func (m *memory) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	if m.object == nil {
		return apierrors.NewNotFound(schema.GroupResource{}, "")
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(m.object.DeepCopyObject()).Elem())
	return nil
}

func (m *memory) Apply(_ context.Context, config runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	object, _, err := clientgoscheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		return err
	}
	m.object = object.(client.Object)
	return nil
}
