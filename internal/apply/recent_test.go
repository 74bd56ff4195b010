package apply

import (
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestRecentForgetsTheOldest(t *testing.T) {
	key := func(i int) objectKey { return objectKey{name: types.NamespacedName{Name: strconv.Itoa(i)}} }
	var r recent
	if r.has(key(0)) {
		t.Error("it has what was never added")
	}
	const added = recentObjects + 10
	for i := range added {
		r.add(key(i))
	}
	for i := range added {
		if got, want := r.has(key(i)), i >= 10; got != want {
			t.Errorf("has the %dth of %d: %v, want %v", i, added, got, want)
		}
	}
	if len(r.keys) != recentObjects {
		t.Errorf("it holds %d keys, want %d", len(r.keys), recentObjects)
	}
}

// One that was removed and made again is remembered from the second time on.
func TestRecentRemoves(t *testing.T) {
	key := func(i int) objectKey { return objectKey{name: types.NamespacedName{Name: strconv.Itoa(i)}} }
	var r recent
	r.add(key(0))
	r.remove(key(0))
	if r.has(key(0)) {
		t.Error("it has what was removed")
	}
	r.add(key(0))
	for i := 1; i < recentObjects; i++ {
		r.add(key(i))
	}
	if !r.has(key(0)) {
		t.Error("it has forgotten the second with the first")
	}
	r.add(key(recentObjects))
	if r.has(key(0)) {
		t.Error("it remembers for ever")
	}
}
