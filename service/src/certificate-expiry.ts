import { X509Certificate } from 'node:crypto';
import { metrics } from '@replpool/protocol';
import { Gauge, type Registry } from 'prom-client';

export interface Expiry {
  /** Whom the certificate is made out to. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** @param cert PEM; of several the first */
export function expiryOf(cert: string): Expiry {
  const { subjectAltName = '', validToDate } = new X509Certificate(cert);
  return { name: subjectAltName.replace(/^DNS:/, ''), expiresAt: validToDate.getTime() };
}

/**
 * Tells when the certificates that this process uses expire, until it is disposed. By who uses them, not by who writes them: one that was
 * renewed and never arrived is what nobody else sees.
 * @param expiries asked for each scrape
 */
export function observeExpiry(registry: Registry, expiries: () => Iterable<Expiry>): Disposable {
  const { name: metric, help } = metrics.certificateExpiry;
  new Gauge({
    ...{ name: metric, help, labelNames: ['name'], registers: [registry] },
    // Where processes are added up, the sum of two moments is none.
    aggregator: 'min',
    collect() {
      this.reset();
      for (const { name, expiresAt } of expiries()) this.set({ name }, expiresAt / 1000);
    },
  });
  return { [Symbol.dispose]: () => registry.removeSingleMetric(metric) };
}
