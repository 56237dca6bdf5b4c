{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "ordinal.driverName" -}}
{{ ternary "hostpath.ordinal.dev" "nfs.ordinal.dev" (eq .Values.mode "host-path") }}
{{- end }}

{{- define "ordinal.className" -}}
{{ .Values.storageClass.name | default (ternary "ordinal-hostpath" "nfs-dynamic" (eq .Values.mode "host-path")) }}
{{- end }}

{{- define "ordinal.account" -}}
{{ ternary "ordinal-provisioner" "nfs-provisioner" (eq .Values.mode "host-path") }}
{{- end }}

{{- define "ordinal.pluginDir" -}}
{{ .Values.node.kubeletDir }}/plugins/{{ include "ordinal.driverName" . }}
{{- end }}

{{- define "ordinal.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.pullPolicy }}
{{- end }}

{{- define "ordinal.labels" -}}
labels: {app.kubernetes.io/name: nfs-provisioner, app.kubernetes.io/part-of: nfs-dynamic}
{{- end }}

{{- define "ordinal.driverArgs" -}}
{{- with .Values.driver.extraArgs }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "ordinal.driverProbe" -}}
livenessProbe:
  exec: {command: [/usr/bin/ordinal-csi, --probe, "--endpoint=unix://{{ . }}/csi.sock"]}
  periodSeconds: 60
  timeoutSeconds: 30
  failureThreshold: 4
{{- end }}

{{- define "ordinal.privileged" -}}
securityContext:
  runAsUser: 0
  privileged: true
  readOnlyRootFilesystem: true
{{- end }}

{{- define "ordinal.provisionerArgs" -}}
- --http-endpoint=:9809
{{- if .Values.provisioner.statusPage }}
- --status-page
{{- end }}
{{- if .Values.provisioner.archives }}
- --archives
{{- end }}
{{- with .Values.provisioner.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* All of the provisioner's container but its arguments and environment. */ -}}
{{- define "ordinal.provisioner" -}}
name: provisioner
{{ include "ordinal.image" . }}
command: [/usr/bin/ordinal-provisioner]
ports:
  - {name: metrics, containerPort: 9809}
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 30
  timeoutSeconds: 10
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  timeoutSeconds: 5
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  {{- if eq .Values.mode "host-path" }}
  seccompProfile: {type: RuntimeDefault}
  {{- end }}
resources:
  {{- toYaml .Values.provisioner.resources | nindent 2 }}
volumeMounts:
  - {name: socket, mountPath: /csi, readOnly: true}
  - {name: api-access, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end }}

{{- define "ordinal.apiAccess" -}}
name: api-access
projected:
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3607}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{- define "ordinal.pod" -}}
automountServiceAccountToken: false
nodeSelector: {kubernetes.io/os: linux}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
