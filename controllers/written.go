package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// written remembers the statuses that were written last, because the cache shows them some time later. S is the status of
// one kind. The zero value is empty; it is safe for concurrent use.
type written[S any] struct {
	mu   sync.Mutex
	last map[types.NamespacedName]writtenStatus[S]
}

// writtenStatus is a status and the version of the object that has it.
type writtenStatus[S any] struct {
	version string
	status  S
}

// note keeps a status that was just written, with the version that the write has made. The version that it was written on top
// of would not do: between the two there may be others, such as that of a status before this one.
func (w *written[S]) note(object types.NamespacedName, version *string, status S) {
	if version == nil {
		return // nothing to know it by; the API server always says
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[types.NamespacedName]writtenStatus[S]{}
	}
	w.last[object] = writtenStatus[S]{version: *version, status: status}
}

// latest gives the status that was written last if this version of the object came before it: the cache has not caught up with
// the write. False: the object's own status is the latest.
func (w *written[S]) latest(object client.Object) (S, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.last[client.ObjectKeyFromObject(object)]
	if ok && !newer(last.version, object.GetResourceVersion()) {
		delete(w.last, client.ObjectKeyFromObject(object))
		ok = false
	}
	return last.status, ok
}

// forget drops what is kept of an object that is gone.
func (w *written[S]) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, key)
}

// newer tells whether version a of an object came after version b. Versions of one kind are numbers that grow (KEP-5504); of
// others nothing can be told.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}
