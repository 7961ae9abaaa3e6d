import { DEFAULT_TEMPLATE, type Limits, parseCores, type ReplPoolSpec } from '@replpool/protocol';

/** What a template is once the pool's values have filled it up. */
export interface Template {
  readonly name: string;
  readonly preload: readonly string[];
  readonly warmupCode: string;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: Limits;
  /** Cores of one session; sets the thread counts of numeric libraries. */
  readonly cpu: number;
}

/** All templates of a pool; the first is the one of sessions that name none. */
export function templatesOf(spec: ReplPoolSpec): readonly Template[] {
  const { preload, warmupCode, env } = spec.runtime;
  const own: Template = {
    name: DEFAULT_TEMPLATE,
    preload,
    warmupCode,
    env: variables(env),
    limits: spec.sessions.limits,
    cpu: parseCores(spec.sessions.limits.cpu),
  };
  const others = spec.templates.map((template) => {
    const limits = { ...own.limits, ...defined(template.limits ?? {}) };
    return {
      name: template.name,
      preload: template.preload ?? preload,
      warmupCode: template.warmupCode ?? warmupCode,
      env: { ...own.env, ...variables(template.env ?? []) },
      limits,
      cpu: parseCores(limits.cpu),
    };
  });
  return others.some((template) => template.name === DEFAULT_TEMPLATE) ? others : [own, ...others];
}

/** What comes from a Secret or a ConfigMap, the kubelet has put into the agent's own environment. */
function variables(list: ReplPoolSpec['runtime']['env']): Record<string, string> {
  return Object.fromEntries(list.map(({ name, value }) => [name, value ?? process.env[name] ?? '']));
}

/** Without the fields that are undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
