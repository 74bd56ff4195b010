package controllers

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/internal/desired"
)

// nameOf names an apply configuration for the log: kind and name.
func nameOf(config runtime.ApplyConfiguration) string {
	named, ok := config.(interface {
		GetKind() *string
		GetName() *string
	})
	if !ok || named.GetKind() == nil || named.GetName() == nil {
		return fmt.Sprintf("%T", config)
	}
	return *named.GetKind() + "/" + *named.GetName()
}

// kindOf names an object's Go type for the log; objects read from a typed cache carry no kind.
func kindOf(object desired.Object) string { return fmt.Sprintf("%T", object) }

func isHTTPRoute(object desired.Object) bool {
	_, ok := object.(*gatewayv1.HTTPRoute)
	return ok
}
