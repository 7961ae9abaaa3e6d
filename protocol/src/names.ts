import { z } from 'zod';

/** A name as Kubernetes has them (RFC 1123 label). */
export const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'not a name of a-z, 0-9 and "-"');

/** A name of an object of Kubernetes (RFC 1123 subdomain). */
export const dnsSubdomain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, 'not a name of a-z, 0-9, "-" and "."');

/** A pool's own name, to which its objects' names add "replpool-pool-": a Service's has at most 63 characters. */
export const poolResourceName = dnsLabel.max(49);

/** A pool: `namespace:name` in a cluster, `name` under `replpool dev`. */
export const poolName = z
  .string()
  .max(127)
  .regex(
    /^([a-z0-9]([-a-z0-9]*[a-z0-9])?:)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'not a pool: it is written as name or namespace:name',
  );

/** The id of a session. */
export const sessionId = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'not a UUID in lower case');

/** The id of an execution, chosen by the client or made by the agent. */
export const executionId = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,128}$/, 'not an id of 1 to 128 characters A-Z a-z 0-9 . _ : -')
  .regex(/[^.]/, 'a path has no place for an id of dots alone');

/** What a client or an agent names a question by, so that it knows the answer. */
export const requestId = z.union([z.string().min(1).max(128), z.int()]);
export type RequestId = z.infer<typeof requestId>;

/** Labels with the rules of Kubernetes labels, without their limit on the key's prefix. */
export const labels = z
  .record(
    z.string().regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/, 'not a label name'),
    z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/, 'not a label value'),
  )
  .refine((it) => Object.keys(it).length <= 64, 'more than 64 labels');

/** Environment variables of a session. */
export const environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'not the name of an environment variable'),
  z
    .string()
    .max(131_072)
    .refine((value) => !value.includes('\0') && value.isWellFormed(), 'contains a NUL or half a code point'),
);

/** A time in RFC 3339, in UTC: `2026-11-21T14:30:00.123Z`. */
export const timestamp = z.iso.datetime();

/** A pod has at most so many slots. */
export const MAX_SESSIONS_PER_POD = 10_000;

/** A count, size or sequence number. */
export const count = z.int().min(0);
