// Command coredns is the cluster's name server: CoreDNS with the handful of
// plugins that the Corefile in this module's parent uses, so that it builds in
// a minute and weighs a third of the stock binary.
package main

import (
	"github.com/coredns/coredns/coremain"

	// A plugin takes part by being imported; its place in the chain is fixed by
	// CoreDNS' own directive list.
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	coremain.Run()
}
