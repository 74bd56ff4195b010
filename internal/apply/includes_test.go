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
			have:     `{"spec": {"containers": [{"name": "proxy"}, {"name": "server", "image": "a"}]}}`,
			want:     `{"spec": {"containers": [{"name": "server", "image": "a"}]}}`,
			includes: true,
		},
		"another image": {
			reason: "drift within a merged list must be seen",
			have:   `{"spec": {"containers": [{"name": "proxy"}, {"name": "server", "image": "b"}]}}`,
			want:   `{"spec": {"containers": [{"name": "server", "image": "a"}]}}`,
		},
		"an argument more": {
			reason: "args are one value",
			have:   `{"args": ["--a", "--b"]}`, want: `{"args": ["--a"]}`,
		},
		"container ports": {
			reason:   "container ports merge by containerPort and protocol",
			have:     `{"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 9, "protocol": "TCP"}, {"containerPort": 8080, "protocol": "TCP", "name": "http"}]}]}}`,
			want:     `{"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}]}]}}`,
			includes: true,
		},
		"service ports": {
			reason:   "a Service's ports merge by port and protocol, and the server adds node ports",
			have:     `{"spec": {"ports": [{"port": 81, "protocol": "TCP"}, {"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30000}]}}`,
			want:     `{"spec": {"ports": [{"port": 80, "protocol": "TCP", "targetPort": "http"}]}}`,
			includes: true,
		},
		"rules of a policy": {
			reason: "a rule that somebody added opens a port, so the list is ours as a whole",
			have:   `{"spec": {"ingress": [{"ports": [{"port": 80}]}, {}]}}`, want: `{"spec": {"ingress": [{"ports": [{"port": 80}]}]}}`,
		},
		"ports of a policy's rule": {
			reason: "a port that somebody added to a rule is open, so that list is ours as a whole too",
			have:   `{"spec": {"ingress": [{"ports": [{"port": 80, "protocol": "TCP"}, {"port": 22, "protocol": "TCP"}]}]}}`,
			want:   `{"spec": {"ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}]}}`,
		},
		"a spread constraint more": {
			reason:   "the API server merges them by key and whenUnsatisfiable, so a write would not take it away",
			have:     `{"spec": {"topologySpreadConstraints": [{"topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}, {"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]}}`,
			want:     `{"spec": {"topologySpreadConstraints": [{"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]}}`,
			includes: true,
		},
		"an owner more": {
			reason:   "owners merge by UID",
			have:     `{"metadata": {"ownerReferences": [{"uid": "other"}, {"uid": "ours", "controller": true, "name": "a"}]}}`,
			want:     `{"metadata": {"ownerReferences": [{"uid": "ours", "controller": true}]}}`,
			includes: true,
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
			if got := mapIncludes("", have, want); got != tc.includes {
				t.Errorf("mapIncludes = %v, want %v: %s", got, tc.includes, tc.reason)
			}
		})
	}
}
