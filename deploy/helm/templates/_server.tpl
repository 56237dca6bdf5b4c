{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}
{{- define "ordinal.server" -}}
{{- with .Values.inClusterServer -}}
- name: server
  image: {{ printf "%s:%s" .image.repository (.image.tag | default $.Chart.AppVersion) }}
  imagePullPolicy: {{ $.Values.pullPolicy }}
  ports:
    - {name: nfs, containerPort: 2049}
  readinessProbe:
    tcpSocket: {port: nfs}
    periodSeconds: 2
  livenessProbe:
    tcpSocket: {port: nfs}
    initialDelaySeconds: 30
    periodSeconds: 30
    failureThreshold: 4
  securityContext:
    runAsUser: 0
    runAsGroup: 0
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    seccompProfile: {type: Unconfined}
    capabilities:
      drop: [ALL]
      add: [CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, MKNOD, SETUID, SETGID]
  resources:
    {{- toYaml .resources | nindent 4 }}
  volumeMounts:
    - {name: nfs, mountPath: /export, subPath: export}
    - {name: nfs, mountPath: /var/lib/nfs/ganesha, subPath: ganesha}
    - {name: nfs-server, mountPath: /etc/ganesha, readOnly: true}
    - {name: run, mountPath: /run}
    - {name: tmp, mountPath: /tmp}
{{- end }}
{{- end }}
