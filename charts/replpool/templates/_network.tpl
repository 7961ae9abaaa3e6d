{{/* Ways out that operator and router share: DNS, the API server, agents. */}}
{{- define "replpool.commonEgress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
- ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.apiServer.cidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  {{- end }}
- ports:
    - {protocol: TCP, port: 8080}
  to:
    - namespaceSelector:
        {{- if .Values.watchNamespace }}
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.watchNamespace }}
        {{- else }} {}
        {{- end }}
      podSelector:
        matchLabels:
          app.kubernetes.io/name: replpool
          app.kubernetes.io/component: agent
{{- end -}}

{{- define "replpool.metricsIngress" -}}
- ports:
    - {protocol: TCP, port: 9090}
  {{- with .Values.networkPolicy.metricsFrom }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
