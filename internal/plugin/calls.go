package plugin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// calls counts requests, by what they were and how they ended.
type calls map[string]int

// counted is what the server's pods have counted since they started.
type counted struct {
	// taken are requests of the public port, by route and status code.
	taken calls
	// made are the server's own calls, by whom they were for and then by how they ended.
	made map[string]calls
}

// waitForCall waits until somebody calls one of the channel's webhooks, and says how it was answered.
func (s *session) waitForCall(ctx context.Context, l *v1alpha1.ChannelLink, patience time.Duration) check {
	c := check{Name: "Test call", Result: unknownResult}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	before, err := s.count(ctx, l)
	if err != nil {
		c.Message, c.Do = "calls cannot be counted: "+problem(err), "To see them one has to be allowed to get pods/proxy in "+s.namespace+"."
		return c
	}
	fmt.Fprintf(s.Err, "waiting for a call, at most %s: %s\n", patience, callIt(l))
	for s.pause(ctx) {
		now, err := s.count(ctx, l)
		if err != nil {
			continue // a pod that is just going away
		}
		if fresh := now.taken.since(before.taken); len(fresh) > 0 {
			return answered(c, fresh[0])
		}
	}
	c.Result, c.Message = failedResult, "nobody has called in "+patience.String()
	c.Do = callIt(l)
	return c
}

// callIt is how a person has the channel called.
func callIt(l *v1alpha1.ChannelLink) string {
	switch {
	case l.Spec.BotBonnie != nil:
		return "Write to the bot so that one of its modules with a JSON API runs, or tap its login button."
	case l.Spec.Platform == v1alpha1.PlatformLINE:
		return "Press \"Verify\" beside the webhook URL in the LINE Developers Console, or write to the bot."
	default:
		return "Press \"Test\" beside the webhook's fields in the Meta App Dashboard, or write to the page."
	}
}

// What it means that calls are refused.
const (
	wrongSignature = "The signature is wrong: put the platform's current secret into the Secret that the spec names."
	wrongPage      = "The call is about another bot or page, or its verify token is wrong: compare spec.pageID, spec.botBonnie.botID and the verify token."
)

// answered says what it means how a call was answered.
func answered(c check, call string) check {
	route, code, _ := strings.Cut(call, " → ")
	c.Message = route + " was called and answered " + code
	switch code {
	case "200", "302":
		c.Result = wellResult
	case "401":
		c.Result = failedResult
		c.Do = wrongSignature
	case "403":
		c.Result = failedResult
		c.Do = wrongPage
	default:
		c.Result = failedResult
		c.Do = "The server's log says more; the codes are in docs/http.md."
	}
	return c
}

// since are the calls that came after others were counted, in the order of their names.
func (now calls) since(before calls) []string {
	var fresh []string
	for call, n := range now {
		if n > before[call] {
			fresh = append(fresh, call)
		}
	}
	slices.Sort(fresh)
	return fresh
}

// count adds up what the server's pods count. The API server hands the question on to each pod.
func (s *session) count(ctx context.Context, l *v1alpha1.ChannelLink) (counted, error) {
	all := counted{calls{}, map[string]calls{}}
	var pods corev1.PodList
	if err := s.client.List(ctx, &pods, client.InNamespace(s.namespace), client.MatchingLabels(names.Selector(l))); err != nil {
		return all, err
	}
	var err error
	asked := 0
	for _, pod := range pods.Items {
		port := opsPort(&pod)
		if port == "" || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		var metrics []byte
		if metrics, err = s.core.Pods(s.namespace).ProxyGet("http", pod.Name, port, "metrics", nil).DoRaw(ctx); err == nil {
			asked++
			all.add(metrics)
		}
	}
	if err == nil && asked == 0 {
		err = errNoPods
	}
	return all, err
}

var errNoPods = errors.New("no pod of the server runs")

// opsPort is the number of the port where a pod is asked about itself.
func opsPort(pod *corev1.Pod) string {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == names.PortOps {
				return strconv.Itoa(int(port.ContainerPort))
			}
		}
	}
	return ""
}

// Lines of the metrics of requests and of own calls; their labels are in alphabetic order.
var (
	takenLine = regexp.MustCompile(`^channellink_http_requests_total\{code="(\d+)",method="[A-Za-z]+",port="public",route="(.+)"\} (\S+)$`)
	madeLine  = regexp.MustCompile(`^channellink_outbound_calls_total\{channel="[^"]+",class="(\w+)",target="(\w+)"\} (\S+)$`)
)

// ofPlatforms are the routes that platforms, bots and their users call; a page of ours that a person opens is no test.
var ofPlatforms = regexp.MustCompile(`^(GET|POST) /(webhook|authorize|botbonnie/.+|services/.+)$`)

func (now counted) add(metrics []byte) {
	lines := bufio.NewScanner(bytes.NewReader(metrics))
	for lines.Scan() {
		if found := takenLine.FindStringSubmatch(lines.Text()); found != nil && ofPlatforms.MatchString(found[2]) {
			now.taken[found[2]+" → "+found[1]] += number(found[3])
		}
		if found := madeLine.FindStringSubmatch(lines.Text()); found != nil {
			if now.made[found[2]] == nil {
				now.made[found[2]] = calls{}
			}
			now.made[found[2]][found[1]] += number(found[3])
		}
	}
}

// number is a sample's value; 0 if it is none.
func number(text string) int {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return int(n)
}

// problem is an error of the API server in few words.
func problem(err error) string {
	switch {
	case errors.Is(err, errNoPods):
		return err.Error()
	case apierrors.IsForbidden(err):
		return "you may not"
	case apierrors.IsServiceUnavailable(err):
		return "the pod does not answer"
	default:
		return "the API server says " + string(apierrors.ReasonForError(err))
	}
}
