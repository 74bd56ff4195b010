package controllers

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// scrapeTimeout bounds what a scrape reads from the cache; before that has been filled, reads wait.
const scrapeTimeout = time.Second

// metrics are the operator's own, beside those of controller-runtime. No label holds a name of a resource: that many series
// would be the cluster's to bear, and each server has its own.
type metrics struct {
	questions *prometheus.CounterVec
	attempts  *prometheus.CounterVec
}

// newMetrics registers the metrics.
func newMetrics(registry prometheus.Registerer, resources client.Reader, version string) (metrics, error) {
	m := metrics{
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_operator_status_requests_total",
			Help: "Questions to servers for their status, by what came of them.",
		}, []string{"result"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_operator_unlink_requests_total",
			Help: "Attempts at unlinkings that servers were asked for, by what came of the request.",
		}, []string{"result"}),
	}
	for _, result := range requestResults {
		m.questions.WithLabelValues(result)
		m.attempts.WithLabelValues(result)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "channellink_operator_build_info", Help: "Always 1; the labels say which release runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{m.questions, m.attempts, build, resourceCollector{resources}} {
		if err := registry.Register(c); err != nil {
			return metrics{}, err
		}
	}
	return m, nil
}

// requestResults are what can come of a request to a server.
var requestResults = []string{"answered", "refused", "unreachable", "garbage", "failed"}

func requestResult(err error) string {
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, adminapi.ErrRefused):
		return "refused"
	case errors.Is(err, adminapi.ErrUnreachable):
		return "unreachable"
	case errors.Is(err, adminapi.ErrGarbage):
		return "garbage"
	}
	return "failed"
}

// countedAsker counts the questions of an Asker.
type countedAsker struct {
	Asker
	counts *prometheus.CounterVec
}

// Status implements [Asker].
func (a countedAsker) Status(ctx context.Context, target adminapi.Target, signer *adminapi.Signer) (adminapi.Status, error) {
	status, err := a.Asker.Status(ctx, target, signer)
	a.counts.WithLabelValues(requestResult(err)).Inc()
	return status, err
}

// countedUnlinker counts the requests of an Unlinker.
type countedUnlinker struct {
	Unlinker
	counts *prometheus.CounterVec
}

// Unlink implements [Unlinker].
func (u countedUnlinker) Unlink(ctx context.Context, target adminapi.Target, signer *adminapi.Signer, id string, request adminapi.Unlink) (adminapi.UnlinkResult, error) {
	result, err := u.Unlinker.Unlink(ctx, target, signer, id, request)
	u.counts.WithLabelValues(requestResult(err)).Inc()
	return result, err
}

// resourceCollector counts the resources in the cache, at each scrape. Every replica has a cache, and counts the same.
type resourceCollector struct{ reader client.Reader }

var (
	channelLinksDesc = prometheus.NewDesc("channellink_operator_channellinks",
		"ChannelLinks by the status and the reason of their condition Ready.", []string{"ready", "reason"}, nil)
	accountUnlinksDesc = prometheus.NewDesc("channellink_operator_accountunlinks",
		"AccountUnlinks by how far they are and the reason of that.", []string{"state", "reason"}, nil)
)

// Describe implements [prometheus.Collector].
func (resourceCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- channelLinksDesc
	ch <- accountUnlinksDesc
}

// Collect implements [prometheus.Collector]. It tells nothing of a kind that cannot be read.
func (c resourceCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	var links v1alpha1.ChannelLinkList
	if err := c.reader.List(ctx, &links, client.UnsafeDisableDeepCopy); err == nil {
		counts := map[[2]string]int{{string(metav1.ConditionTrue), v1alpha1.ReasonReady}: 0}
		for i := range links.Items {
			ready, reason := readiness(links.Items[i].Status.Conditions)
			counts[[2]string{string(ready), reason}]++
		}
		tell(ch, channelLinksDesc, counts)
	}
	var unlinks v1alpha1.AccountUnlinkList
	if err := c.reader.List(ctx, &unlinks, client.UnsafeDisableDeepCopy); err == nil {
		counts := map[[2]string]int{{v1alpha1.ConditionComplete, v1alpha1.ReasonUnlinked}: 0}
		for i := range unlinks.Items {
			counts[progress(unlinks.Items[i].Status.Conditions)]++
		}
		tell(ch, accountUnlinksDesc, counts)
	}
}

func tell(ch chan<- prometheus.Metric, desc *prometheus.Desc, counts map[[2]string]int) {
	for labels, n := range counts {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), labels[0], labels[1])
	}
}

func readiness(conditions []metav1.Condition) (metav1.ConditionStatus, string) {
	if ready := meta.FindStatusCondition(conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Status, ready.Reason
	}
	return metav1.ConditionUnknown, v1alpha1.ReasonPending
}

// progress is the state of an AccountUnlink, and the reason.
func progress(conditions []metav1.Condition) [2]string {
	for _, final := range []string{v1alpha1.ConditionComplete, v1alpha1.ConditionFailed} {
		if c := meta.FindStatusCondition(conditions, final); c != nil && c.Status == metav1.ConditionTrue {
			return [2]string{final, c.Reason}
		}
	}
	_, reason := readiness(conditions)
	return [2]string{"Waiting", reason}
}
