package apply

import (
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// recentObjects is how many objects recent remembers. The cache shows an object some milliseconds after it was made, in
// which few others are made; one that is forgotten too soon costs a refused write.
const recentObjects = 1024

// recent remembers the objects that were made last, which the cache may not show yet.
type recent struct {
	mu sync.Mutex
	// keys tells where in the ring each one is.
	keys map[objectKey]int
	// ring holds the same keys, and some that were removed; next is the oldest, or free.
	ring [recentObjects]objectKey
	next int
}

// objectKey tells objects apart.
type objectKey struct {
	kind schema.GroupKind
	name types.NamespacedName
}

func keyOfObject(object *unstructured.Unstructured) objectKey {
	return objectKey{object.GroupVersionKind().GroupKind(), client.ObjectKeyFromObject(object)}
}

func (r *recent) add(key objectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = make(map[objectKey]int, recentObjects)
	}
	if oldest := r.ring[r.next]; r.keys[oldest] == r.next {
		delete(r.keys, oldest) // unless it was added again since
	}
	r.keys[key], r.ring[r.next] = r.next, key
	r.next = (r.next + 1) % recentObjects
}

// remove forgets an object that is there no more.
func (r *recent) remove(key objectKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.keys, key)
}

func (r *recent) has(key objectKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.keys[key]
	return ok
}
