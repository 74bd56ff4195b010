package apply

import (
	"encoding/json"
	"testing"
)

func TestMapIncludes(t *testing.T) {
	for name, tc := range map[string]struct {
		reason     string
		have, want string
		includes   bool
	}{
		"defaults of the server": {
			reason: "fields that we do not render are not ours",
			have:   `{"spec": {"replicas": 1, "strategy": {"type": "Recreate"}}}`, want: `{"spec": {"replicas": 1}}`, includes: true,
		},
		"a changed value": {
			reason: "drift must be seen",
			have:   `{"spec": {"replicas": 2}}`, want: `{"spec": {"replicas": 1}}`,
		},
		"a value taken away": {
			reason: "drift must be seen",
			have:   `{"spec": {}}`, want: `{"spec": {"paused": false}}`,
		},
		"a sidecar that was injected": {
			reason:   "containers merge by name; the order is the injector's",
			have:     `{"containers": [{"name": "proxy"}, {"name": "server", "image": "a"}]}`,
			want:     `{"containers": [{"name": "server", "image": "a"}]}`,
			includes: true,
		},
		"another image": {
			reason: "drift within a merged list must be seen",
			have:   `{"containers": [{"name": "proxy"}, {"name": "server", "image": "b"}]}`,
			want:   `{"containers": [{"name": "server", "image": "a"}]}`,
		},
		"an argument more": {
			reason: "args are one value",
			have:   `{"args": ["--a", "--b"]}`, want: `{"args": ["--a"]}`,
		},
		"container ports": {
			reason:   "container ports merge by containerPort and protocol",
			have:     `{"ports": [{"containerPort": 9, "protocol": "TCP"}, {"containerPort": 8080, "protocol": "TCP", "name": "http"}]}`,
			want:     `{"ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}]}`,
			includes: true,
		},
		"service ports": {
			reason:   "a Service's ports merge by port and protocol, and the server adds node ports",
			have:     `{"ports": [{"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30000}]}`,
			want:     `{"ports": [{"port": 80, "protocol": "TCP", "targetPort": "http"}]}`,
			includes: true,
		},
		"rules of a policy": {
			reason: "a rule that somebody added opens a port, so the list is ours as a whole",
			have:   `{"ingress": [{"ports": [{"port": "http"}]}, {}]}`, want: `{"ingress": [{"ports": [{"port": "http"}]}]}`,
		},
		"an empty rule": {
			reason: "an object without fields is what everything includes",
			have:   `{"ingress": [{"ports": []}]}`, want: `{"ingress": [{}]}`, includes: true,
		},
		"an empty object that the server dropped": {
			reason: "securityContext: {} means the same as none",
			have:   `{}`, want: `{"securityContext": {}}`, includes: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var have, want map[string]any
			for data, into := range map[string]*map[string]any{tc.have: &have, tc.want: &want} {
				if err := json.Unmarshal([]byte(data), into); err != nil {
					t.Fatal(err)
				}
			}
			if got := mapIncludes(have, want); got != tc.includes {
				t.Errorf("mapIncludes = %v, want %v: %s", got, tc.includes, tc.reason)
			}
		})
	}
}
