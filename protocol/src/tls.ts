import { z } from 'zod';

/** PEM files of one side of mTLS; they are read again when they change. */
export const tlsFilesSchema = z.strictObject({
  certFile: z.string().min(1).describe('Its certificate, with what leads to the authority.'),
  keyFile: z.string().min(1),
  caFile: z
    .string()
    .min(1)
    .describe('Authorities that its peers may have their certificates from; nobody else is trusted.'),
});
export type TlsFiles = z.infer<typeof tlsFilesSchema>;

/** Files of a Secret of type kubernetes.io/tls, and the authorities beside them. */
export const TLS_FILE_NAMES = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' } as const;

/** Names that certificates are made out to, as DNS names; `internal` is nobody's in the public DNS. */
export const ROUTER_TLS_NAME = 'router.replpool.internal';
export const OPERATOR_TLS_NAME = 'operator.replpool.internal';

/** The name of every agent of a pool, `namespace:name` as all of a cluster are. */
export function agentTlsName(pool: string): string {
  return [...pool.split(':').reverse(), 'agent.replpool.internal'].join('.');
}
