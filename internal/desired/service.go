package desired

import (
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

// servicePort is the port of the Service on which routes reach the server.
const servicePort = 80

// service leads to the pods that are ready.
func service(link *v1alpha1.ChannelLink) *coreac.ServiceApplyConfiguration {
	return child(link, coreac.Service(names.Base(link), link.Namespace)).
		WithAnnotations(map[string]string{
			names.AnnotationPublicURL: string(link.Spec.PublicURL),
			names.AnnotationPage:      link.Spec.PageID,
		}).
		WithSpec(coreac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(names.Selector(link)).
			WithPorts(
				port(names.PortHTTP, servicePort),
				port(names.PortOps, config.OpsPort),
			))
}

// adminService leads to every pod, ready or not: the report of an unready one is the report that is wanted.
func adminService(link *v1alpha1.ChannelLink) *coreac.ServiceApplyConfiguration {
	return child(link, coreac.Service(names.AdminService(link), link.Namespace)).
		WithSpec(coreac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(names.Selector(link)).
			WithPublishNotReadyAddresses(true).
			WithPorts(port(names.PortAdmin, config.AdminPort)))
}

// port is a port of a Service whose target is the container's port of the same name.
func port(name string, number int32) *coreac.ServicePortApplyConfiguration {
	return coreac.ServicePort().
		WithName(name).
		WithProtocol(corev1.ProtocolTCP).
		WithPort(number).
		WithTargetPort(intstr.FromString(name))
}

// serviceURL is the server's public port as other pods reach it, with the path of the public URL: the address that a
// sibling passes webhook calls on to.
func serviceURL(link *v1alpha1.ChannelLink, publicURL string) string {
	var prefix string
	if u, err := url.Parse(publicURL); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	return fmt.Sprintf("http://%s.%s.svc%s", names.Base(link), link.Namespace, prefix)
}

// AdminURL is the server's admin port as the operator reaches it, without a path.
func AdminURL(link *v1alpha1.ChannelLink) string {
	return fmt.Sprintf("http://%s.%s.svc:%d", names.AdminService(link), link.Namespace, config.AdminPort)
}
