//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// told is a text of the project's that others read.
type told struct{ where, text string }

// toldIn is what the project tells in a namespace: objects, events, and of each pod of operator or server the logs, the metrics
// and whether it is ready.
func toldIn(ctx context.Context, namespace string) ([]told, error) {
	texts, err := objectsIn(ctx, namespace)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(restConfig)
	config.QPS = -1 // there is nobody to be kind to
	core, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	list := &corev1.PodList{}
	if err := cluster.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	for _, pod := range list.Items {
		if application := pod.Labels[names.LabelName]; application != names.ApplicationName && application != operatorName {
			continue
		}
		said, err := toldBy(ctx, core.Pods(namespace), &pod)
		if err != nil && !apierrors.IsNotFound(err) { // it has gone in the meantime
			return nil, err
		}
		texts = append(texts, said...)
	}
	return texts, nil
}

// objectsIn are the namespace's events, its ChannelLinks, the status of its AccountUnlinks, and what the operator has made. What
// an AccountUnlink wants is written by somebody else, who has to name the user.
func objectsIn(ctx context.Context, namespace string) ([]told, error) {
	var texts []told
	for _, kind := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Event"),
		v1alpha1.SchemeGroupVersion.WithKind("ChannelLink"),
		v1alpha1.SchemeGroupVersion.WithKind("AccountUnlink"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		corev1.SchemeGroupVersion.WithKind("Pod"),
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
		appsv1.SchemeGroupVersion.WithKind("ReplicaSet"),
		networkingv1.SchemeGroupVersion.WithKind("Ingress"),
	} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := cluster.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return nil, err
		}
		for _, object := range list.Items {
			content := any(object.Object)
			switch kind.Kind {
			case "Event", "ChannelLink":
			case "AccountUnlink":
				content = object.Object["status"]
			default:
				if application := object.GetLabels()[names.LabelName]; application != names.ApplicationName && application != operatorName {
					continue // the company's own
				}
			}
			text, err := json.Marshal(content)
			if err != nil {
				return nil, err
			}
			texts = append(texts, told{fmt.Sprintf("%s %s/%s", kind.Kind, namespace, object.GetName()), string(text)})
		}
	}
	return texts, nil
}

// toldBy is what a pod says itself.
func toldBy(ctx context.Context, pods corev1client.PodInterface, pod *corev1.Pod) ([]told, error) {
	var texts []told
	where := "pod " + pod.Namespace + "/" + pod.Name
	for _, status := range pod.Status.ContainerStatuses {
		for _, previous := range []bool{false, true} {
			if state := status.State; previous && status.RestartCount == 0 || !previous && state.Running == nil && state.Terminated == nil {
				continue
			}
			log, err := logOf(ctx, pods, pod.Name, &corev1.PodLogOptions{Container: status.Name, Previous: previous})
			if err != nil {
				return nil, fmt.Errorf("the log of %s: %w", where, err)
			}
			texts = append(texts, told{"the log of " + where, log})
		}
	}
	if pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil {
		return texts, nil
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			for _, path := range answers[port.Name] {
				// Without the error: what is not ready says so with 503, and its words are what counts.
				said, _ := pods.ProxyGet("http", pod.Name, strconv.Itoa(int(port.ContainerPort)), path, nil).DoRaw(ctx)
				texts = append(texts, told{path + " of " + where, string(said)})
			}
		}
	}
	return texts, nil
}

// answers are the paths at which the ports of operator and servers, by their names, tell something.
var answers = map[string][]string{
	"metrics": {"metrics"}, "health": {"readyz", "healthz"}, names.PortOps: {"metrics", "readyz", "healthz"},
}

func logOf(ctx context.Context, pods corev1client.PodInterface, pod string, options *corev1.PodLogOptions) (string, error) {
	stream, err := pods.GetLogs(pod, options).Stream(ctx)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(stream)
	return string(text), errors.Join(err, stream.Close())
}
