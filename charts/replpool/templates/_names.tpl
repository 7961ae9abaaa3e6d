{{/* What the names of all objects begin with. The longest suffix has 16 characters. */}}
{{- define "replpool.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 47 | trimSuffix "-" -}}
{{- end -}}

{{/* For objects that belong to no namespace, so that releases of the same name in two namespaces do not meet. */}}
{{- define "replpool.clusterName" -}}
{{- printf "%s-%s" (include "replpool.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/* What selects the pods of a component; it never changes. Takes {root, component}. */}}
{{- define "replpool.selectorLabels" -}}
app.kubernetes.io/name: replpool
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes {root, component}. */}}
{{- define "replpool.labels" -}}
{{ include "replpool.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes {root, component}: operator, router or agent. */}}
{{- define "replpool.image" -}}
{{- $image := (index .root.Values .component).image -}}
{{- $repository := $image.repository -}}
{{- if not $repository -}}
{{- $why := printf "image.registry (or %s.image.repository) is needed: the project publishes no images; build them from its Dockerfile and say where they are" .component -}}
{{- $repository = printf "%s/%s" (required $why .root.Values.image.registry | trimSuffix "/") .component -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Takes {root, component}. */}}
{{- define "replpool.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.name -}}
{{- $account.name -}}
{{- else if $account.create -}}
{{- printf "%s-%s" (include "replpool.fullname" .root) .component -}}
{{- else -}}
default
{{- end -}}
{{- end -}}
