import type { z } from 'zod';

/** One rule between fields, for the API server (CEL) and for us, side by side so that they stay the same. */
export interface CelRule<T> {
  /** The rule in CEL, with `self` for the object. */
  readonly rule: string;
  readonly message: string;
  /** The field that a violation is blamed on. */
  readonly field: string;
  /** The same rule here. */
  readonly holds: (value: T) => boolean;
}

/** The schema with rules that its parse checks and that the CRD carries as `x-kubernetes-validations`. */
export function cel<S extends z.ZodType>(schema: S, ...rules: readonly CelRule<z.output<S>>[]): S {
  let checked: S = schema;
  for (const { message, field, holds } of rules) {
    checked = checked.refine(holds, { error: message, path: [field] });
  }
  return checked.meta({ 'x-kubernetes-validations': rules.map(({ rule, message }) => ({ rule, message })) });
}
