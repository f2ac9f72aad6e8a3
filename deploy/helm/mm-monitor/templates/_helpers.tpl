{{/* Names and labels of everything. */}}
{{- define "mm-monitor.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | replace (printf "%s-%s" .Chart.Name .Chart.Name) .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "mm-monitor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mm-monitor.labels" -}}
{{ include "mm-monitor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "mm-monitor.account" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "mm-monitor.name" .) "default") -}}
{{- end }}

{{/* The configuration as TOML. What the chart decides comes last and wins. */}}
{{- define "mm-monitor.config" -}}
{{- $state := "/var/lib/mm-monitor" -}}
{{- $own := dict
  "http" (dict "host" "0.0.0.0" "port" 8088)
  "checkpoint" (dict "directory" (print $state "/checkpoint"))
  "journal" (dict "directory" (print $state "/journal")) -}}
{{- with .Values.evidence.secret }}{{ $_ := set $own "evidence" (dict "directory" (print $state "/evidence") "key_file" (print "/etc/mm-monitor/secrets/" . "/evidence.pem")) }}{{ end -}}
{{- if and .Values.ledger (eq (int .Values.workers) 1) }}{{ $_ := set $own "ledger" (dict "directory" (print $state "/ledger")) }}{{ end -}}
{{- if gt (int .Values.workers) 1 }}{{ $_ := set $own "kafka" (dict "worker" (printf "@WORKER@/%d" (int .Values.workers))) }}{{ $_ := set $own "topics" (dict "accruals" .Values.accruals) }}{{ end -}}
{{- $all := mergeOverwrite (deepCopy .Values.config) $own -}}
{{- range $table, $keys := $all }}
[{{ $table }}]
{{- range $key, $value := $keys }}
{{ $key }} = {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{ end }}
{{- end }}

{{- define "mm-monitor.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "mm-monitor.scheme" -}}
{{ ternary "HTTPS" "HTTP" (not (empty ((.Values.config).http).certfile)) }}
{{- end }}

{{- define "mm-monitor.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "mm-monitor.mounts" -}}
- { name: etc, mountPath: /etc/mm-monitor }
{{- range include "mm-monitor.secrets" . | fromJsonArray }}
- { name: secret-{{ . }}, mountPath: /etc/mm-monitor/secrets/{{ . }}, readOnly: true }
{{- end }}
{{- end }}

{{- define "mm-monitor.secrets" -}}
{{ concat .Values.secrets (compact (list .Values.evidence.secret)) | uniq | toJson }}
{{- end }}

{{- define "mm-monitor.nobody" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "mm-monitor.volumes" -}}
- name: config
  configMap: { name: {{ include "mm-monitor.name" . }} }
- name: etc
  emptyDir: { medium: Memory, sizeLimit: 16Mi }
- name: tmp
  emptyDir: { sizeLimit: 256Mi }
{{- range include "mm-monitor.secrets" . | fromJsonArray }}
- name: secret-{{ . }}
  secret: { secretName: {{ . }}, defaultMode: 0440 }
{{- end }}
{{- end }}

{{/* The volume of state of (values, size, labels). */}}
{{- define "mm-monitor.claim" -}}
{{- $root := index . 0 -}}
- metadata:
    name: state
    labels: {{- index . 2 | nindent 6 }}
  spec:
    accessModes: {{- toYaml $root.Values.state.accessModes | nindent 6 }}
    {{- with $root.Values.state.storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources: { requests: { storage: {{ index . 1 }} } }
{{- end }}

{{- define "mm-monitor.egress" -}}
{{- if .Values.networkPolicy.to -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
- to: {{- toYaml .Values.networkPolicy.to | nindent 4 }}
{{- else -}}
- {}
{{- end }}
{{- end }}
