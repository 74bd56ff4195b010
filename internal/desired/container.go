package desired

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

// drainSeconds is how long a pod that is told to stop goes on as before: so long proxies and kube-proxy may take to learn
// that it is leaving.
const drainSeconds = 5

// otlpEndpoint is the variable of the OpenTelemetry specification that turns tracing on in a server.
const otlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

// container is the server's process. It is told the hash of its settings, because a kubelet may mount them as they were
// before.
func container(in Input, settingsHash string) (*coreac.ContainerApplyConfiguration, error) {
	link := in.Link
	required := requirements(link)
	resources, err := configurationOf[coreac.ResourceRequirementsApplyConfiguration](required)
	if err != nil {
		return nil, err
	}
	c := coreac.Container().
		WithName("server").
		WithImage(firstOf(server(link).Image, in.Operator.ServerImage)).
		WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs("--settings-dir="+config.SettingsDir, "--settings-hash="+settingsHash).
		WithPorts(
			containerPort(names.PortHTTP, config.PublicPort),
			containerPort(names.PortOps, config.OpsPort),
			containerPort(names.PortAdmin, config.AdminPort),
		).
		WithResources(resources).
		WithVolumeMounts(mounts(link)...).
		// A server answers within a second of its start; a minute is for a node that is short of breath.
		WithStartupProbe(probe("/healthz", 1, 60)).
		// Readiness takes a pod out of the Service; liveness never depends on the store or the issuer, because a restart
		// mends neither (C89).
		WithReadinessProbe(probe("/readyz", 5, 2)).
		WithLivenessProbe(probe("/healthz", 10, 3)).
		WithSecurityContext(coreac.SecurityContext().
			WithAllowPrivilegeEscalation(false).
			WithReadOnlyRootFilesystem(true).
			WithCapabilities(coreac.Capabilities().WithDrop("ALL")))
	if limit, ok := required.Limits[corev1.ResourceMemory]; ok {
		c.WithEnv(coreac.EnvVar().WithName("GOMEMLIMIT").WithValue(softLimit(limit)))
	}
	if endpoint := in.Operator.OTLPEndpoint; endpoint != "" {
		c.WithEnv(coreac.EnvVar().WithName(otlpEndpoint).WithValue(endpoint))
	}
	if postgres(link) {
		// With SQLite nobody takes over while this pod leaves; to stay would only make the gap longer.
		c.WithLifecycle(coreac.Lifecycle().WithPreStop(coreac.LifecycleHandler().
			WithSleep(coreac.SleepAction().WithSeconds(drainSeconds))))
	}
	return c, nil
}

// containerPort names a port of the container, for the Services and probes to refer to.
func containerPort(name string, number int32) *coreac.ContainerPortApplyConfiguration {
	return coreac.ContainerPort().WithName(name).WithProtocol(corev1.ProtocolTCP).WithContainerPort(number)
}

// probe asks the operations port every so many seconds and gives up after so many failures.
func probe(path string, periodSeconds, failures int32) *coreac.ProbeApplyConfiguration {
	return coreac.Probe().
		WithHTTPGet(coreac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(names.PortOps))).
		WithPeriodSeconds(periodSeconds).
		WithFailureThreshold(failures).
		WithTimeoutSeconds(min(periodSeconds, 5))
}

// requirements are the spec's, or those of a server that rests at 25 MiB. There is no CPU limit by default: throttling
// would only make people wait.
func requirements(link *v1alpha1.ChannelLink) *corev1.ResourceRequirements {
	if resources := server(link).Resources; resources != nil {
		resources = resources.DeepCopy()
		resources.Requests, resources.Limits = rounded(resources.Requests), rounded(resources.Limits)
		return resources
	}
	return &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("10m"),
			corev1.ResourceMemory: resource.MustParse("32Mi"),
		},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
	}
}

// softLimit is nine tenths of the memory limit, in bytes: from there on the Go runtime collects rather than grows, and
// the rest is for what it does not count.
func softLimit(limit resource.Quantity) string {
	return strconv.FormatInt(limit.Value()/10*9, 10)
}
