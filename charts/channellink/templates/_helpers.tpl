{{/* The name of every object, and what the pods are found by. It is fixed: the servers'
     NetworkPolicies let in pods of this label. */}}
{{- define "channellink.name" -}}channellink-operator{{- end }}

{{- define "channellink.labels" -}}
{{- toYaml (merge (dict "app.kubernetes.io/name" (include "channellink.name" .)) .Values.commonLabels) }}
{{- end }}

{{/* The name of what is cluster-wide: two releases that each watch their own
     namespaces must not share it. */}}
{{- define "channellink.clusterName" -}}
{{- include "channellink.name" . }}{{ if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end }}
{{- end }}

{{/* A binding of the role of this name to the operator: include with a dict of root,
     kind (ClusterRole or Role), name and, for a Role, namespace. */}}
{{- define "channellink.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ quote . }}
  {{- end }}
  labels: {{- include "channellink.labels" .root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: {{ .kind }}, name: {{ .name }}}
subjects:
- {kind: ServiceAccount, name: {{ include "channellink.name" .root }}, namespace: {{ quote .root.Release.Namespace }}}
{{- end }}

{{/* Reads a file of several documents as a list: fromYaml takes one alone. */}}
{{- define "channellink.documents" -}}
{{- $documents := list }}
{{- range regexSplit "(?m)^---$" . -1 }}
{{- with fromYaml . }}{{ $documents = append $documents . }}{{ end }}
{{- end }}
{{- toYaml $documents }}
{{- end }}
