package webhookserver

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile"
)

// fill sets every file below v, naming it after its place, and returns the names.
func fill(v reflect.Value, place string) []string {
	switch {
	case v.Type() == reflect.TypeFor[config.File]():
		v.Set(reflect.ValueOf(config.File{Field: place, Path: "/nowhere/" + place}))
		return []string{place}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), place)
	case v.Kind() == reflect.Struct:
		var places []string
		for i := range v.NumField() {
			places = append(places, fill(v.Field(i), fmt.Sprint(place, ".", v.Type().Field(i).Name))...)
		}
		return places
	}
	return nil
}

func fieldsOf(references []reference) []string {
	var fields []string
	for _, r := range references {
		fields = append(fields, r.field)
	}
	slices.Sort(fields)
	return fields
}

// A reference that is added to the settings and forgotten here would be mounted and never judged.
func TestEveryReferenceIsFollowed(t *testing.T) {
	files := secretfile.NewWatcher(secretfile.Options{})
	var c config.Channel
	want := fill(reflect.ValueOf(&c).Elem(), "channel")
	// The issuer that a client secret is bound to need not be there: it speaks under the client secret's name.
	want = slices.DeleteFunc(want, func(place string) bool { return place == "channel.OIDC.ClientSecretIssuer" })
	slices.Sort(want)
	if diff := cmp.Diff(want, fieldsOf(channelReferences(&c, files))); diff != "" {
		t.Errorf("references of a channel (-want +got):\n%s", diff)
	}

	var s config.Store
	want = fill(reflect.ValueOf(&s).Elem(), "store")
	slices.Sort(want)
	if diff := cmp.Diff(want, fieldsOf(storeReferences(s, files))); diff != "" {
		t.Errorf("references of the store (-want +got):\n%s", diff)
	}
}
