package services

import (
	"net/url"
	"slices"
	"testing"
)

func TestPassOn(t *testing.T) {
	for _, c := range []struct {
		reason, own, theirs, want string
		ok                        bool
	}{
		{"nothing", "", "", "", true},
		{"theirs, in its order", "", "input=b&fields=user,userParams&input=a", "input=b&fields=user%2CuserParams&input=a", true},
		{"ours first", "tenant=hr", "input=a", "tenant=hr&input=a", true},
		{"what is settled is not added to", "tenant=hr", "tenant=evil&input=a", "tenant=hr&input=a", true},
		{"nor by another spelling", "tenant=hr", "te%6Eant=evil", "tenant=hr", true},
		{"the key stays here", "", "k=urlkey&input=a", "input=a", true},
		{"by any spelling", "", "%6B=urlkey", "", true},
		{"a backend's own k is its own", "k=1", "k=urlkey", "k=1", true},
		{"other cases are other names", "", "K=a", "K=a", true},
		{"a name alone", "", "debug", "debug=", true},
		{"blanks and ampersands stay inside", "", "input=a%26tenant%3Db+c", "input=a%26tenant%3Db+c", true},
		{"no new line gets into a request", "", "input=a%0D%0AX-Evil:%201", "input=a%0D%0AX-Evil%3A+1", true},
		{"a bad escape", "", "input=%zz", "", false},
		{"a semicolon, which readers read differently", "", "a=b;tenant=evil", "", false},
	} {
		got, ok := passOn(c.own, c.theirs)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %q, %t; want %q, %t", c.reason, got, ok, c.want, c.ok)
		}
	}
}

// FuzzPassOn: what a backend reads is what its own URL says, then what BotBonnie's says of the rest, and never the key.
func FuzzPassOn(f *testing.F) {
	f.Add("tenant=hr", "k=urlkey&fields=user,userParams&input=%E5%A4%A9&tenant=evil")
	f.Add("", "a&b=&=c&&%6b=1")
	f.Fuzz(func(t *testing.T, own, theirs string) {
		settled, err := url.ParseQuery(own)
		if err != nil {
			return // the settings are checked
		}
		got, ok := passOn(own, theirs)
		given, err := url.ParseQuery(theirs)
		if ok != (err == nil) {
			t.Fatalf("taken: %t, but %v", ok, err)
		}
		if !ok {
			return
		}
		read, err := url.ParseQuery(got)
		if err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		for name, values := range read {
			switch {
			case settled.Has(name):
				if !slices.Equal(values, settled[name]) {
					t.Fatalf("%q: %q became %q", name, settled[name], values)
				}
			case name == keyParam || !slices.Equal(values, given[name]):
				t.Fatalf("%q: %q became %q", name, given[name], values)
			}
		}
		for name := range given {
			if name != keyParam && !read.Has(name) {
				t.Fatalf("%q is lost", name)
			}
		}
	})
}
