import { DEFAULT_TEMPLATE, type Limits, parseCores, type ReplPoolSpec } from '@replpool/protocol';
import type { EnvironmentSpec } from '../environment/resolve.ts';

/** What a template is once the pool's values have filled it up. */
export interface Template {
  readonly name: string;
  readonly preload: readonly string[];
  readonly warmupCode: string;
  /** The pool's variables and then its own, which win. */
  readonly environment: EnvironmentSpec;
  readonly limits: Limits;
  /** Cores of one session; sets the thread counts of numeric libraries. */
  readonly cpu: number;
}

/** All templates of a pool; the first is the one of sessions that name none. */
export function templatesOf(spec: ReplPoolSpec): readonly Template[] {
  const { preload, warmupCode, env, envFrom } = spec.runtime;
  const own: Template = {
    name: DEFAULT_TEMPLATE,
    preload,
    warmupCode,
    environment: { env, envFrom },
    limits: spec.sessions.limits,
    cpu: parseCores(spec.sessions.limits.cpu),
  };
  const others = spec.templates.map((template) => {
    const limits = { ...own.limits, ...defined(template.limits ?? {}) };
    return {
      name: template.name,
      preload: template.preload ?? preload,
      warmupCode: template.warmupCode ?? warmupCode,
      environment: { env: [...env, ...(template.env ?? [])], envFrom },
      limits,
      cpu: parseCores(limits.cpu),
    };
  });
  return others.some((template) => template.name === DEFAULT_TEMPLATE) ? others : [own, ...others];
}

/** Without the fields that are undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
