package controllers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

// observe gathers what the status depends on. known is false while a server is there that has not been asked yet.
func (r *ChannelLinkReconciler) observe(ctx context.Context, link *v1alpha1.ChannelLink, problem *status.Problem) (seen status.Observed, known bool, err error) {
	seen = status.Observed{
		Problem:  problem,
		Applied:  (problem == nil || problem.Partial()) && !suspended(link),
		Selector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: names.Selector(link)}),
	}
	key := childKey(link, names.Base(link))

	deployment := &appsv1.Deployment{}
	if found, err := r.child(ctx, link, key, deployment); err != nil {
		return seen, false, err
	} else if found {
		seen.Deployment = deployment
		seen.SettingsHash = deployment.Spec.Template.Annotations[names.AnnotationSettingsHash]
	}
	if exposure := link.Spec.Exposure; exposure != nil && exposure.Ingress != nil {
		ingress := &networkingv1.Ingress{}
		if found, err := r.child(ctx, link, key, ingress); err != nil {
			return seen, false, err
		} else if found {
			seen.Ingress = ingress
		}
	} else if exposure != nil && exposure.Gateway != nil {
		if seen.Route, err = r.route(ctx, link, key); err != nil {
			return seen, false, err
		}
	}
	seen.Server, known = r.server(link, seen.Deployment)
	return seen, known, nil
}

// child reads an object from the cache; one that is not the ChannelLink's counts as not there.
func (r *ChannelLinkReconciler) child(ctx context.Context, link *v1alpha1.ChannelLink, key types.NamespacedName, object client.Object) (bool, error) {
	if err := r.Client.Get(ctx, key, object); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return belongsTo(link)(object), nil
}

// server gives the last answer of the ChannelLink's server, and has the poller ask it.
func (r *ChannelLinkReconciler) server(link *v1alpha1.ChannelLink, deployment *appsv1.Deployment) (server status.Server, known bool) {
	key := client.ObjectKeyFromObject(link)
	if deployment == nil || deployment.Status.Replicas == 0 {
		r.Poller.Forget(key)
		return status.Server{Contact: status.NotAsked}, true
	}
	r.Poller.Watch(key, Subject{
		Target:       adminapi.Target{BaseURL: desired.AdminURL(link), Audience: string(link.UID)},
		SettingsHash: deployment.Spec.Template.Annotations[names.AnnotationSettingsHash],
		ReadyPods:    deployment.Status.ReadyReplicas,
	})
	answer, ok := r.Poller.Answer(key)
	if !ok {
		return status.Server{}, false
	}
	return status.Server{Contact: answer.Contact, Report: reportOf(answer)}, true
}

func (r *ChannelLinkReconciler) route(ctx context.Context, link *v1alpha1.ChannelLink, key types.NamespacedName) (status.Route, error) {
	if !r.Gateway.Available() {
		return status.Route{APIMissing: true}, nil
	}
	route := &gatewayv1.HTTPRoute{}
	err := r.Client.Get(ctx, key, route)
	switch {
	case meta.IsNoMatchError(err):
		return status.Route{APIMissing: true}, nil
	case apierrors.IsNotFound(err):
		return status.Route{}, nil
	case err != nil:
		return status.Route{}, err
	case !belongsTo(link)(route):
		return status.Route{}, nil
	}
	var seen status.Route
	for _, parent := range route.Status.Parents {
		seen.Parents = append(seen.Parents, routeParent(parent, route.Generation))
	}
	return seen, nil
}

// routeParent reduces a Gateway's verdict; one about an earlier generation of the route counts as none yet.
func routeParent(parent gatewayv1.RouteParentStatus, generation int64) status.RouteParent {
	var seen status.RouteParent
	for _, c := range []struct {
		kind gatewayv1.RouteConditionType
		into *bool
	}{
		{gatewayv1.RouteConditionAccepted, &seen.Accepted},
		{gatewayv1.RouteConditionResolvedRefs, &seen.ResolvedRefs},
	} {
		condition := meta.FindStatusCondition(parent.Conditions, string(c.kind))
		switch {
		case condition == nil || condition.ObservedGeneration < generation:
			seen.Reason = string(gatewayv1.RouteReasonPending)
		case condition.Status == metav1.ConditionTrue:
			*c.into = true
		case seen.Reason == "":
			seen.Reason = condition.Reason
		}
	}
	return seen
}

// statusOf is the whole status for what was seen.
func statusOf(link *v1alpha1.ChannelLink, seen status.Observed, now metav1.Time) v1alpha1.ChannelLinkStatus {
	out := v1alpha1.ChannelLinkStatus{
		ObservedGeneration: link.Generation,
		Conditions:         status.Conditions(link, seen, now.Time),
		Selector:           seen.Selector,
		Endpoints:          status.Endpoints(link),
		ActiveLinks:        link.Status.ActiveLinks,
	}
	if seen.Deployment != nil {
		out.Replicas, out.ReadyReplicas = seen.Deployment.Status.Replicas, seen.Deployment.Status.ReadyReplicas
	}
	if links := seen.Server.Report.ActiveLinks; links != nil {
		out.ActiveLinks = links
	}
	return out
}

// siblings are the servers for other pages of the same Facebook app: Meta sends all of an app's events to one webhook URL.
func (r *ChannelLinkReconciler) siblings(ctx context.Context, link *v1alpha1.ChannelLink) ([]desired.Sibling, error) {
	secret := appSecretKey(link)
	if secret == "" {
		return nil, nil
	}
	var links v1alpha1.ChannelLinkList
	err := r.Client.List(ctx, &links, client.InNamespace(link.Namespace), client.MatchingFields{indexAppSecret: secret}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, err
	}
	var siblings []desired.Sibling
	for i := range links.Items {
		other := &links.Items[i]
		if other.UID == link.UID || other.DeletionTimestamp != nil || atRest(other) {
			continue
		}
		service, err := r.serviceOf(ctx, other)
		if err != nil {
			return nil, err
		}
		// One without a Service (its claim is refused, say) could not be reached, and would fail every webhook call.
		if service != nil {
			served := cmp.Or(service.Annotations[names.AnnotationPublicURL], string(other.Spec.PublicURL))
			siblings = append(siblings, desired.SiblingOf(other, served))
		}
	}
	slices.SortFunc(siblings, func(a, b desired.Sibling) int { return strings.Compare(a.ServiceURL, b.ServiceURL) })
	return siblings, nil
}

// atRest tells whether the spec has no server run. One that nobody is to answer for must not fail its siblings' calls.
func atRest(link *v1alpha1.ChannelLink) bool {
	server := link.Spec.Server
	return server != nil && server.Autoscaling == nil && server.Replicas != nil && *server.Replicas == 0
}

// appSecretKey names the app secret of a ChannelLink for Messenger, or is empty.
func appSecretKey(link *v1alpha1.ChannelLink) string {
	if m := link.Spec.Messenger; m != nil && m.AppSecretRef != nil {
		return string(m.AppSecretRef.Name) + "/" + string(m.AppSecretRef.Key)
	}
	return ""
}
