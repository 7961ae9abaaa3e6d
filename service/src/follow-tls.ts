import type { TlsFiles } from '@replpool/protocol';
import { FollowedTls } from './tls-files.ts';
import type { TlsMaterial } from './tls-material.ts';

/** As far as pino's is needed here. */
interface Log {
  info(message: string): void;
  warn(facts: { readonly err: unknown }, message: string): void;
}

/**
 * The files of a server's own certificate, with their changes in its log.
 * @throws Error where they cannot be read, or do not belong together
 */
export function followTls(files: TlsFiles, log: Log, changed?: (material: TlsMaterial) => void): Promise<FollowedTls> {
  return FollowedTls.open(files, {
    changed: (material) => {
      changed?.(material);
      log.info('the certificate was read anew');
    },
    failed: (err) => log.warn({ err }, 'the files of the certificate are of no use; the one before stays'),
  });
}
