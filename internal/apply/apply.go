// Package apply is the only writer of the operator: it makes the cluster's objects what apply configurations say, by
// server-side apply under one field owner. It knows objects, not the kinds of this project.
//
// In steady state it neither writes nor reads past the cache. Whether anything changed is judged from two things: a hash of
// the configuration, kept as an annotation on the object (a setting that was taken away), and the rendered configuration
// being a subset of the cached object (drift made by hand). Both work on a cache that drops managedFields.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrForeignObject marks an object that bears the name of one of ours and is not ours. It is never touched.
var ErrForeignObject = errors.New("the object belongs to somebody else")

// ForeignObjectError names the object that is in the way.
type ForeignObjectError struct {
	Kind schema.GroupVersionKind
	Name string
	// Metadata of the object in the way.
	Metadata metav1.Object
}

// Error names kind and name.
func (e *ForeignObjectError) Error() string {
	return fmt.Sprintf("%s %q exists and belongs to somebody else", e.Kind.Kind, e.Name)
}

// Is reports that every ForeignObjectError is ErrForeignObject.
func (e *ForeignObjectError) Is(target error) bool { return target == ErrForeignObject }

// Outcome says what Apply did.
type Outcome string

// The outcomes of Apply.
const (
	Unchanged Outcome = "Unchanged"
	Created   Outcome = "Created"
	Updated   Outcome = "Updated"
)

// Applier writes objects under one field owner.
type Applier struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// Live reads past the cache, metadata only, and never at rest.
	Live client.Reader
	// FieldOwner of every write.
	FieldOwner string
	// HashAnnotation is the annotation that keeps the hash of what was applied.
	HashAnnotation string

	made recent
}

// Owned tells whether an object that exists is the caller's, so that it may be changed or deleted.
type Owned func(metav1.Object) bool

// Path is the way to a field, for example spec, replicas.
type Path []string

// Apply makes one object what the configuration says. It returns a *ForeignObjectError if the object exists and is not
// owned, and writes nothing if nothing differs. A difference at a tolerated path is none: another controller sets it, and
// the configuration only repeats what was seen there.
func (a *Applier) Apply(ctx context.Context, config runtime.ApplyConfiguration, owned Owned, tolerated ...Path) (Outcome, error) {
	want, hash, err := a.render(config, tolerated)
	if err != nil {
		return Unchanged, err
	}

	cached, err := a.cached(ctx, want)
	switch {
	case err == nil && !owned(cached):
		return Unchanged, foreign(want, cached)
	case err == nil && cached.GetAnnotations()[a.HashAnnotation] == hash:
		same, err := includes(cached, without(want, tolerated))
		if err != nil || same {
			return Unchanged, err
		}
		return Updated, a.repair(ctx, cached, want)
	case err != nil && !apierrors.IsNotFound(err):
		return Unchanged, fmt.Errorf("reading %s %q: %w", want.GetKind(), want.GetName(), err)
	}

	if apierrors.IsNotFound(err) && !a.made.has(keyOfObject(want)) {
		// Most likely there is none, so it is made without a look, and without harm if there is one after all.
		if err := a.create(ctx, want); !apierrors.IsConflict(err) {
			return Created, err
		}
	}

	// The cache says that a write is due. It may lag behind our own last write, and it holds our objects alone, so one
	// look past it tells whether the write is still due and whether somebody else's object is in the way.
	live, err := a.live(ctx, want)
	switch {
	case apierrors.IsNotFound(err):
		return Created, a.create(ctx, want)
	case err != nil:
		return Unchanged, err
	case !owned(live):
		return Unchanged, foreign(want, live)
	case live.Annotations[a.HashAnnotation] != hash:
		return Updated, a.write(ctx, want)
	}
	// It was written already: the cache lags behind, or somebody took away the label by which the cache selects.
	same, err := includesMetadata(live, want)
	if err != nil || same {
		return Unchanged, err
	}
	return Updated, a.write(ctx, want)
}

// Delete removes an object that is owned; others stay. It reports whether it deleted one. The cache is believed that there is
// none, unless one was made a moment ago.
func (a *Applier) Delete(ctx context.Context, object client.Object, owned Owned) (deleted bool, err error) {
	kind, err := a.Client.GroupVersionKindFor(object)
	if err != nil {
		return false, err
	}
	key := objectKey{kind.GroupKind(), client.ObjectKeyFromObject(object)}
	switch err = a.Client.Get(ctx, key.name, object); {
	case err == nil:
		deleted, err = a.delete(ctx, object, object, owned)
	case apierrors.IsNotFound(err) && !a.made.has(key):
		return false, nil
	case apierrors.IsNotFound(err):
		deleted, err = a.DeleteLive(ctx, object, owned)
	default:
		return false, fmt.Errorf("reading %T %q: %w", object, object.GetName(), err)
	}
	if err == nil {
		a.made.remove(key)
	}
	return deleted, err
}

// DeleteLive is Delete that looks past the cache, for where nobody will look again.
func (a *Applier) DeleteLive(ctx context.Context, object client.Object, owned Owned) (bool, error) {
	live, err := a.live(ctx, object)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return a.delete(ctx, object, live, owned)
}

// delete removes the object that was found, and none that was made under its name since.
func (a *Applier) delete(ctx context.Context, object client.Object, found metav1.Object, owned Owned) (bool, error) {
	if !owned(found) || found.GetDeletionTimestamp() != nil {
		return false, nil
	}
	uid := found.GetUID()
	err := a.Client.Delete(ctx, object, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err = client.IgnoreNotFound(err); err != nil {
		return false, fmt.Errorf("deleting %T %q: %w", object, object.GetName(), err)
	}
	return true, nil
}

// Exists tells, past the cache, whether there is such an object and it is owned.
func (a *Applier) Exists(ctx context.Context, object client.Object, owned Owned) (bool, error) {
	live, err := a.live(ctx, object)
	return err == nil && owned(live), client.IgnoreNotFound(err)
}

// live reads the object's metadata past the cache.
func (a *Applier) live(ctx context.Context, object client.Object) (*metav1.PartialObjectMetadata, error) {
	kind, err := a.Client.GroupVersionKindFor(object)
	if err != nil {
		return nil, err
	}
	live := &metav1.PartialObjectMetadata{}
	live.SetGroupVersionKind(kind)
	if err := a.Live.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return nil, fmt.Errorf("reading %s %q: %w", kind.Kind, object.GetName(), err)
	}
	return live, nil
}

// render turns the configuration into JSON's own types and adds the annotation with the hash of all that matters in it.
func (a *Applier) render(config runtime.ApplyConfiguration, tolerated []Path) (*unstructured.Unstructured, string, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(config)
	if err != nil {
		return nil, "", fmt.Errorf("rendering %T: %w", config, err)
	}
	object := &unstructured.Unstructured{Object: fields}
	data, err := json.Marshal(without(object, tolerated).Object)
	if err != nil {
		return nil, "", fmt.Errorf("rendering %T: %w", config, err)
	}
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:16])
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[a.HashAnnotation] = hash
	object.SetAnnotations(annotations)
	return object, hash, nil
}

// without is the object less the fields at the paths.
func without(object *unstructured.Unstructured, paths []Path) *unstructured.Unstructured {
	if len(paths) == 0 {
		return object
	}
	object = object.DeepCopy()
	for _, path := range paths {
		unstructured.RemoveNestedField(object.Object, path...)
	}
	return object
}

// cached reads the object of the configuration's kind and name from the cache, in its Go type.
func (a *Applier) cached(ctx context.Context, want *unstructured.Unstructured) (client.Object, error) {
	typed, err := a.Client.Scheme().New(want.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	object, ok := typed.(client.Object)
	if !ok {
		return nil, fmt.Errorf("%T is not an object", typed)
	}
	return object, a.Client.Get(ctx, client.ObjectKeyFromObject(want), object)
}

func (a *Applier) write(ctx context.Context, want *unstructured.Unstructured) error {
	if err := a.Client.Apply(ctx, (*configuration)(&want.Object), client.FieldOwner(a.FieldOwner), client.ForceOwnership); err != nil {
		return fmt.Errorf("applying %s %q: %w", want.GetKind(), want.GetName(), err)
	}
	return nil
}

// configuration is an object on its way to the API server, which is written as the map that it is. The answer is the whole
// object, with every default and every manager of its fields; decoding it would be a sixth of what the operator computes, and
// the cache brings it anyway.
type configuration map[string]any

func (c *configuration) object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: *c}
}

func (c *configuration) IsApplyConfiguration() {}

func (c *configuration) GetAPIVersion() *string { return new(c.object().GetAPIVersion()) }
func (c *configuration) GetKind() *string       { return new(c.object().GetKind()) }
func (c *configuration) GetNamespace() *string  { return new(c.object().GetNamespace()) }
func (c *configuration) GetName() *string       { return new(c.object().GetName()) }

// UnmarshalJSON drops the answer.
func (c *configuration) UnmarshalJSON([]byte) error { return nil }

// repair writes over drift. Server-side apply merges lists by their elements' keys, so an element whose key was changed by
// hand stays beside ours, and the API server may find the two invalid together (a Service with two ports of one name).
// Then the lists are first put back as a whole, by a merge patch.
func (a *Applier) repair(ctx context.Context, cached client.Object, want *unstructured.Unstructured) error {
	err := a.write(ctx, want)
	if !apierrors.IsInvalid(err) {
		return err
	}
	data, marshalErr := json.Marshal(want)
	if marshalErr != nil {
		return errors.Join(err, marshalErr)
	}
	if patchErr := a.Client.Patch(ctx, cached, client.RawPatch(types.MergePatchType, data), client.FieldOwner(a.FieldOwner)); patchErr != nil {
		return err // what the API server says of the apply is what a person needs
	}
	return a.write(ctx, want)
}

// noObject is a resourceVersion that no object has: the revisions of an etcd begin at 1, and its first write makes 2.
const noObject = "1"

// create applies the object on the condition that there is none of its kind and name: to an object that exists, the API
// server answers that it has another resourceVersion (a conflict) and leaves it as it is; to none, it does not look at it.
// That saves a read before each creation.
func (a *Applier) create(ctx context.Context, want *unstructured.Unstructured) error {
	key := keyOfObject(want)
	want.SetResourceVersion(noObject)
	err := a.write(ctx, want)
	want.SetResourceVersion("")
	if err == nil {
		a.made.add(key)
	}
	return err
}

func foreign(want *unstructured.Unstructured, found metav1.Object) error {
	return &ForeignObjectError{Kind: want.GroupVersionKind(), Name: want.GetName(), Metadata: found}
}
