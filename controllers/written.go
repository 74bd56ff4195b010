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

// writtenStatus is a status and the version of the object on top of which it was written.
type writtenStatus[S any] struct {
	onTopOf string
	status  S
}

// note keeps a status that was just written.
func (w *written[S]) note(object client.Object, status S) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[types.NamespacedName]writtenStatus[S]{}
	}
	w.last[client.ObjectKeyFromObject(object)] = writtenStatus[S]{onTopOf: object.GetResourceVersion(), status: status}
}

// latest gives the status that was written on top of this version of the object, or of a later one: the cache has not
// caught up with the write. False: the object's own status is the latest.
func (w *written[S]) latest(object client.Object) (S, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok := w.last[client.ObjectKeyFromObject(object)]
	if !ok {
		return last.status, false
	}
	if newer(object.GetResourceVersion(), last.onTopOf) {
		delete(w.last, client.ObjectKeyFromObject(object))
		return last.status, false
	}
	return last.status, true
}

// forget drops what is kept of an object that is gone.
func (w *written[S]) forget(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.last, key)
}

// newer tells whether version a of an object came after version b. Versions of one kind are numbers that grow (KEP-5504);
// of others only equality tells.
func newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	if err != nil {
		return a != b
	}
	return order > 0
}
