package plugin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// checkReferences looks whether every key that the spec names is there and not empty. A value is never looked at beyond that.
func (s *session) checkReferences(ctx context.Context, l *v1alpha1.ChannelLink) []check {
	var checks []check
	unread := map[string]bool{} // a Secret that the user may not read is told once
	for _, ref := range l.Spec.References() {
		object := fmt.Sprintf("%s %s", ref.Kind, ref.Name)
		size, found, err := s.sizeOf(ctx, ref)
		c := check{Name: object, Result: failedResult}
		switch {
		case apierrors.IsForbidden(err):
			if unread[object] {
				continue
			}
			unread[object] = true
			c.Result, c.Message = unknownResult, "you may not read it; the server can, and says so in SecretsReady"
		case apierrors.IsNotFound(err):
			c.Message = fmt.Sprintf("does not exist; spec.%s wants its key %s", ref.Field, ref.Key)
			c.Do = create(ref, s.namespace)
		case err != nil:
			c.Result, c.Message = unknownResult, "cannot be read: "+err.Error()
		case !found:
			c.Message = fmt.Sprintf("has no key %s, which spec.%s wants", ref.Key, ref.Field)
			c.Do = add(ref, s.namespace)
		case size == 0:
			c.Message = fmt.Sprintf("key %s is empty, which spec.%s wants", ref.Key, ref.Field)
			c.Do = add(ref, s.namespace)
		default:
			c.Result, c.Message = wellResult, fmt.Sprintf("has the key %s of spec.%s", ref.Key, ref.Field)
		}
		checks = append(checks, c)
	}
	return checks
}

// sizeOf is the length of a key's value.
func (s *session) sizeOf(ctx context.Context, ref v1alpha1.Reference) (size int, found bool, err error) {
	key := client.ObjectKey{Namespace: s.namespace, Name: ref.Name}
	if ref.Kind == v1alpha1.ReferenceKindConfigMap {
		var m corev1.ConfigMap
		if err := s.client.Get(ctx, key, &m); err != nil {
			return 0, false, err
		}
		text, isText := m.Data[ref.Key]
		raw, isRaw := m.BinaryData[ref.Key]
		return len(text) + len(raw), isText || isRaw, nil
	}
	var secret corev1.Secret
	if err := s.client.Get(ctx, key, &secret); err != nil {
		return 0, false, err
	}
	value, found := secret.Data[ref.Key]
	return len(value), found, nil
}

// create is a command that makes the object, with a file for the value: an argument would stay in the shell's history.
func create(ref v1alpha1.Reference, namespace string) string {
	kind := "secret generic"
	if ref.Kind == v1alpha1.ReferenceKindConfigMap {
		kind = "configmap"
	}
	return fmt.Sprintf("kubectl create %s %s --namespace %s --from-file=%s=FILE", kind, ref.Name, namespace, ref.Key)
}

// add is a command that gives an object that is there a value under the key, and leaves what else it holds.
func add(ref v1alpha1.Reference, namespace string) string {
	kind, data := "secret", "data"
	if ref.Kind == v1alpha1.ReferenceKindConfigMap {
		kind, data = "configmap", "binaryData"
	}
	return fmt.Sprintf(`kubectl patch %s %s --namespace %s --patch "{\"%s\":{\"%s\":\"$(base64 <FILE | tr -d '\n')\"}}"`,
		kind, ref.Name, namespace, data, ref.Key)
}
