# The images of ReplPool: targets `agent`, `router` and `operator`.
#
#   docker build --target agent --build-arg REQUIREMENTS="numpy pandas" -t my/agent .
#
# BASE is a Debian 13 with Node.js 24; the agent's Python comes from Debian where BASE has none. BUILD_BASE has npm too and leaves nothing
# behind. With the same sources, bases and packages the images come out the same, bit by bit, where the builder sets the times of files
# itself (`buildah bud --timestamp 0`, BuildKit's `rewrite-timestamp=true`). What they write at run time, they write below /run/replpool
# and $TMPDIR (else /tmp), so that the root can be read-only.
ARG BASE=node:24-trixie-slim
ARG BUILD_BASE=${BASE}

# --- compiles; everything that is only for this stays here
FROM ${BUILD_BASE} AS sources
# Of this machine's and not only Node's own certificates: a registry may be behind a company's.
ENV NODE_OPTIONS=--use-system-ca
WORKDIR /opt/replpool
COPY package.json package-lock.json ./
COPY protocol/package.json protocol/
COPY service/package.json service/
COPY kube/package.json kube/
COPY session-agent/package.json session-agent/
COPY router/package.json router/
COPY operator/package.json operator/

FROM sources AS build
RUN npm ci --ignore-scripts --no-audit --no-fund --include-workspace-root \
      --workspace=@replpool/session-agent --workspace=@replpool/router --workspace=@replpool/operator
COPY tsconfig.base.json ./
COPY protocol/tsconfig.json protocol/
COPY protocol/src protocol/src
COPY service/tsconfig.json service/
COPY service/src service/src
COPY kube/tsconfig.json kube/
COPY kube/src kube/src
COPY session-agent/tsconfig.json session-agent/
COPY session-agent/src session-agent/src
COPY router/tsconfig.json router/
COPY router/src router/src
COPY operator/tsconfig.json operator/
COPY operator/src operator/src
RUN npx tsc -b session-agent router operator \
 && find protocol service kube session-agent router operator -name node_modules -prune -o \
      \( -name '*.d.ts' -o -name '*.map' -o -name .tsbuildinfo \) -type f -exec rm {} +

# --- what each program needs of node_modules
FROM sources AS agent-modules
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace=@replpool/session-agent \
 && find node_modules \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' \) -type f -delete
COPY LICENSE ./
COPY --from=build /opt/replpool/protocol/dist protocol/dist
COPY --from=build /opt/replpool/service/dist service/dist
COPY --from=build /opt/replpool/session-agent/dist session-agent/dist
RUN rm -rf package-lock.json kube router operator

FROM sources AS router-modules
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace=@replpool/router \
 && find node_modules \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' \) -type f -delete
COPY LICENSE openapi.json ./
COPY --from=build /opt/replpool/protocol/dist protocol/dist
COPY --from=build /opt/replpool/service/dist service/dist
COPY --from=build /opt/replpool/kube/dist kube/dist
COPY --from=build /opt/replpool/router/dist router/dist
RUN rm -rf package-lock.json session-agent operator

FROM sources AS operator-modules
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace=@replpool/operator \
 && find node_modules \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' \) -type f -delete
COPY LICENSE ./
COPY --from=build /opt/replpool/protocol/dist protocol/dist
COPY --from=build /opt/replpool/service/dist service/dist
COPY --from=build /opt/replpool/kube/dist kube/dist
COPY --from=build /opt/replpool/operator/dist operator/dist
RUN rm -rf package-lock.json session-agent router

# --- the worker's environment
FROM ${BASE} AS python-base
RUN python3 -c 'import ensurepip' 2>/dev/null || { apt-get update -q \
 && apt-get install -yq --no-install-recommends python3 python3-venv ca-certificates \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/ldconfig/aux-cache /var/log/*; }
# Code asks for its user's name and home (getpass, pathlib, matplotlib); a number alone has none. In a pool's pods it is another one, and
# variables say both (`operator/src/specs/agent-container.ts`).
RUN echo 'replpool:x:65532:65532::/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'replpool:x:65532:' >>/etc/group

FROM python-base AS worker
ENV PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
# A folder of their own, so that no time of the build is in it.
COPY worker/pyproject.toml /src/
RUN python3 -m venv /opt/replpool/python \
 && python3 -c 'import tomllib; print(*tomllib.load(open("/src/pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' >/src/worker.txt \
 && /opt/replpool/python/bin/python -m pip install -r /src/worker.txt \
 && cp /src/worker.txt /opt/replpool/python/worker.txt
# pip's own syntax, separated by spaces: packages that sessions of this image find there.
ARG REQUIREMENTS=""
RUN if [ -n "${REQUIREMENTS}" ]; then set -f; /opt/replpool/python/bin/python -m pip install -r /src/worker.txt ${REQUIREMENTS}; fi
COPY worker/src/replpool_worker /src/replpool_worker
# Compiled here, for the root is read-only later; checked by nothing, for nothing changes there and times are all the same.
RUN packages=$(echo /opt/replpool/python/lib/python3*/site-packages) \
 && cp -r /src/replpool_worker "$packages" \
 && find "$packages" -name __pycache__ -prune -exec rm -rf {} + \
 && /opt/replpool/python/bin/python -m compileall -q -x '/site-packages/pip/' --invalidation-mode unchecked-hash "$packages"

# --- the images; one more program is a stage of modules as above, a line in `build`, and a stage here
FROM python-base AS agent
LABEL org.opencontainers.image.title="ReplPool session agent" org.opencontainers.image.licenses=MIT
COPY --from=worker /opt/replpool/python /opt/replpool/python
COPY --from=agent-modules /opt/replpool /opt/replpool
# What other containers of an agent's pod run.
COPY session-agent/pod /opt/replpool
WORKDIR /opt/replpool
ENV NODE_ENV=production HOME=/tmp
USER 65532:65532
# The options are `agentNodeOptions` of session-agent/src/index.ts.
ENTRYPOINT ["node", "--max-semi-space-size=8", "--heap-growing-percent=30", "/opt/replpool/session-agent/dist/main.js"]
CMD ["--config", "/etc/replpool/agent.json"]

FROM ${BASE} AS router
LABEL org.opencontainers.image.title="ReplPool router" org.opencontainers.image.licenses=MIT
COPY --from=router-modules /opt/replpool /opt/replpool
WORKDIR /opt/replpool
ENV NODE_ENV=production HOME=/tmp
USER 65532:65532
ENTRYPOINT ["node", "/opt/replpool/router/dist/main.js"]
CMD ["--config", "/etc/replpool/router.json"]

FROM ${BASE} AS operator
LABEL org.opencontainers.image.title="ReplPool operator" org.opencontainers.image.licenses=MIT
COPY --from=operator-modules /opt/replpool /opt/replpool
WORKDIR /opt/replpool
# One arena: what its threads free is not kept apart from what the next one needs.
ENV NODE_ENV=production HOME=/tmp MALLOC_ARENA_MAX=1
USER 65532:65532
# The options are `operatorNodeOptions` of operator/src/index.ts.
ENTRYPOINT ["node", "--max-semi-space-size=8", "--heap-growing-percent=30", "/opt/replpool/operator/dist/main.js"]
CMD ["--config", "/etc/replpool/operator.json"]
