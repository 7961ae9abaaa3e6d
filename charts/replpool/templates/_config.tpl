{{/* operator.json; the operator's schema refuses what it does not know. */}}
{{- define "replpool.operatorConfig" -}}
{{- $config := dict
      "namespace" .Release.Namespace
      "release" (include "replpool.fullname" .)
      "agentImage" (include "replpool.image" (dict "root" . "component" "agent"))
      "allowPrivileged" .Values.operator.allowPrivileged
      "health" (dict "host" "0.0.0.0" "port" 9090) -}}
{{- with .Values.watchNamespace }}{{ $_ := set $config "watchNamespace" . }}{{ end -}}
{{- with .Values.operator.cgroups }}{{ $_ := set $config "cgroups" . }}{{ end -}}
{{- $config | toPrettyJson -}}
{{- end -}}

{{/* router.json; the router's schema refuses what it does not know. */}}
{{- define "replpool.routerConfig" -}}
{{- $discovery := dict -}}
{{- with .Values.watchNamespace }}{{ $_ := set $discovery "watchNamespace" . }}{{ end -}}
{{- $tls := dict
      "certFile" "/etc/replpool-tls/tls.crt"
      "keyFile" "/etc/replpool-tls/tls.key"
      "caFile" "/etc/replpool-tls/ca.crt" -}}
{{- $config := dict
      "listen" (dict "host" "0.0.0.0" "port" 8080)
      "health" (dict "host" "0.0.0.0" "port" 9090)
      "auth" (include "replpool.routerAuth" . | fromJson)
      "discovery" $discovery
      "agentTls" $tls
      "drainSeconds" .Values.router.drainSeconds
      "drainDelaySeconds" .Values.router.drainDelaySeconds -}}
{{- with .Values.router.defaultPool }}{{ $_ := set $config "defaultPool" . }}{{ end -}}
{{- $config | toPrettyJson -}}
{{- end -}}

{{- define "replpool.routerAuth" -}}
{{- $auth := dict "mode" .Values.auth.mode -}}
{{- if eq .Values.auth.mode "kubernetes" -}}
{{- $_ := set $auth "audiences" .Values.auth.kubernetes.audiences -}}
{{- else if eq .Values.auth.mode "apiKeys" -}}
{{- $_ := set $auth "keysFile" "/etc/replpool-keys/keys.json" -}}
{{- else -}}
{{- range $name, $value := .Values.auth.oidc -}}
{{- if $value }}{{ $_ := set $auth $name $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $auth | toJson -}}
{{- end -}}
