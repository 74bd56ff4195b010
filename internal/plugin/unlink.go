package plugin

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
)

// order are the flags of `unlink`.
type order struct {
	userID, subject, account, issuer string
	reason, linkedBefore, actions    string
	callUnknown, wait                bool
	timeout                          time.Duration
}

func unlinkCommand(flags *pflag.FlagSet) func(context.Context, *session) error {
	var o order
	format := outputFlag(flags)
	flags.StringVar(&o.userID, "user-id", "", "the chat user; - reads the id from standard input, which keeps it out of the shell's history")
	flags.StringVar(&o.subject, "subject", "", "every chat user who is linked with this sub of the issuer; - as above")
	flags.StringVar(&o.account, "account", "", "every chat user who is linked with this account, the value of oidc.userClaim; - as above")
	flags.StringVar(&o.issuer, "issuer", "", "issuer of subject or account, if it is not the ChannelLink's")
	flags.StringVar(&o.reason, "reason", "", "text for the audit trail")
	flags.StringVar(&o.linkedBefore, "linked-before", "", "spare logins later than this (RFC 3339); default: now")
	flags.StringVar(&o.actions, "actions", "", "YAML or JSON file with BotBonnie's actions, a list as in its documentation")
	flags.BoolVar(&o.callUnknown, "call-unknown", false, "tell BotBonnie even of a chat user who is not linked here")
	flags.BoolVar(&o.wait, "wait", true, "wait for the end")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait; the unlinking goes on after that")
	return func(ctx context.Context, s *session) error { return s.unlink(ctx, o, format.json()) }
}

// unlink makes an AccountUnlink and waits for its end.
func (s *session) unlink(ctx context.Context, o order, asJSON bool) error {
	l, err := s.link(ctx)
	if err != nil {
		return err
	}
	request, err := o.request(s, l)
	if err != nil {
		return err
	}
	if err := s.client.Create(ctx, request); err != nil {
		if apierrors.IsForbidden(err) {
			return errors.New("unlink: you may not create AccountUnlinks here; the ClusterRole accountunlink-requester allows it")
		}
		return fmt.Errorf("create the AccountUnlink: %w", err)
	}
	fmt.Fprintf(s.Err, "accountunlink.%s/%s created\n", v1alpha1.GroupName, request.Name)
	if o.wait {
		if err := s.untilFinished(ctx, request, o.timeout); err != nil {
			return err
		}
	}
	if asJSON {
		err = printJSON(s.Out, unlinkOf(request))
	} else if o.wait {
		unlinkOf(request).print(s)
	}
	if err == nil && o.wait && !meta.IsStatusConditionTrue(request.Status.Conditions, v1alpha1.ConditionComplete) {
		err = ErrUnwell
	}
	return err
}

// request is the object that says what the flags say.
func (o order) request(s *session, l *v1alpha1.ChannelLink) (*v1alpha1.AccountUnlink, error) {
	r := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{GenerateName: generateName(l.Name), Namespace: s.namespace},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: v1alpha1.ObjectName(l.Name)},
			Reason:         o.reason,
		},
	}
	given := 0
	for _, who := range []struct {
		value string
		field *string
	}{{o.userID, &r.Spec.User.UserID}, {o.subject, &r.Spec.User.Subject}, {o.account, &r.Spec.User.Account}} {
		if who.value == "" {
			continue
		}
		given++
		value, err := s.given(who.value)
		if err != nil {
			return nil, err
		}
		*who.field = value
	}
	if given != 1 {
		return nil, errors.New("unlink: say who, by exactly one of --user-id, --subject and --account")
	}
	r.Spec.User.Issuer = v1alpha1.URL(o.issuer)
	if o.callUnknown {
		r.Spec.IfUnknown = v1alpha1.IfUnknownCall
	}
	if o.linkedBefore != "" {
		at, err := time.Parse(time.RFC3339, o.linkedBefore)
		if err != nil {
			return nil, errors.New("unlink: --linked-before wants a time such as 2026-01-31T00:00:00Z")
		}
		r.Spec.LinkedBefore = &metav1.Time{Time: at}
	}
	if o.actions != "" {
		data, err := os.ReadFile(o.actions)
		if err == nil {
			err = yaml.UnmarshalStrict(data, &r.Spec.Actions)
		}
		if err != nil {
			return nil, fmt.Errorf("unlink: --actions: %w", err)
		}
	}
	return r, nil
}

// maxPrefix leaves room for the five characters that the API server appends.
const maxPrefix = 240

func generateName(name string) string { return name[:min(len(name), maxPrefix)] + "-" }

// given is a value, or a line of standard input in its place.
func (s *session) given(value string) (string, error) {
	if value != "-" {
		return value, nil
	}
	lines := bufio.NewScanner(s.In)
	if lines.Scan() && strings.TrimSpace(lines.Text()) != "" {
		return strings.TrimSpace(lines.Text()), nil
	}
	return "", errors.New("nothing on standard input")
}

// untilFinished reads the request until it has come to an end. A look now and then is enough: it takes seconds.
func (s *session) untilFinished(ctx context.Context, r *v1alpha1.AccountUnlink, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil && ctx.Err() == nil {
			return fmt.Errorf("read the AccountUnlink: %w", err)
		}
		for _, end := range []string{v1alpha1.ConditionComplete, v1alpha1.ConditionFailed} {
			if meta.IsStatusConditionTrue(r.Status.Conditions, end) {
				return nil
			}
		}
		if !s.pause(ctx) {
			return nil // its state says why
		}
	}
}

// waiting is the state of what has not come to its end.
const waiting = "Waiting"

// unlinking is what became of a request.
type unlinking struct {
	Name      string                  `json:"name"`
	Namespace string                  `json:"namespace"`
	State     string                  `json:"state"`
	Reason    string                  `json:"reason,omitempty"`
	Message   string                  `json:"message,omitempty"`
	Summary   string                  `json:"summary,omitempty"`
	Users     []v1alpha1.UnlinkedUser `json:"users,omitempty"`
	MoreUsers int32                   `json:"moreUsers,omitempty"`
}

func unlinkOf(r *v1alpha1.AccountUnlink) unlinking {
	u := unlinking{
		Name: r.Name, Namespace: r.Namespace, State: waiting, Summary: r.Status.Summary, Users: r.Status.Users, MoreUsers: r.Status.MoreUsers,
	}
	for _, end := range []string{v1alpha1.ConditionComplete, v1alpha1.ConditionFailed} {
		if meta.IsStatusConditionTrue(r.Status.Conditions, end) {
			u.State = end
		}
	}
	if c := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		u.Reason, u.Message = c.Reason, c.Message
	}
	return u
}

func (u unlinking) print(s *session) {
	fmt.Fprintf(s.Out, "%s: %s", u.State, u.Reason)
	if u.Summary != "" {
		fmt.Fprintf(s.Out, ", %s", u.Summary)
	}
	fmt.Fprintln(s.Out)
	if u.State != v1alpha1.ConditionComplete && u.Message != "" {
		fmt.Fprintln(s.Out, wrapped(u.Message, "  "))
	}
	for _, user := range u.Users {
		fmt.Fprintf(s.Out, "  %s  %s  %s\n", user.ChannelLink, user.User, cmp.Or(string(user.Result), waiting))
		if user.Message != "" {
			fmt.Fprintln(s.Out, wrapped(user.Message, "    "))
		}
	}
	if u.MoreUsers > 0 {
		fmt.Fprintf(s.Out, "  and %d more\n", u.MoreUsers)
	}
	if u.State == waiting {
		fmt.Fprintf(s.Err, "it goes on: kubectl get accountunlink %s --namespace %s --watch\n", u.Name, u.Namespace)
	}
}
