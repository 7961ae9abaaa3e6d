import { constants, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';

/** What one side of mTLS shows and trusts, as PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Where a new connection finds the material of the moment. */
export interface TlsSource {
  readonly context: SecureContext;
}

/**
 * Both sides are ours, and none is older than TLS 1.3. Without tickets: who resumes a session is not asked for a certificate again, though it
 * may be of no use by now.
 */
export function contextOptions({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  return { cert, key, ca, minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET };
}

/** @throws Error where the key is another certificate's, or no authority is there: Node.js would then trust the public ones */
export function secureContext(material: TlsMaterial): SecureContext {
  new X509Certificate(material.ca);
  return createSecureContext(contextOptions(material));
}
