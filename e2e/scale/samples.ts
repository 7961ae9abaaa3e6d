/** What a process says of itself at /metrics, by name; each sample with its labels. */
export class Samples {
  readonly #lines: readonly string[];

  constructor(text: string) {
    this.#lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  }

  /** The sum of a metric's samples whose labels match all of these. */
  sum(name: string, labels: Readonly<Record<string, string | RegExp>> = {}): number {
    let total = 0;
    for (const line of this.#lines) {
      const [, metric, inside = '', value] = /^([^{ ]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
      if (metric !== name) continue;
      const has = Object.fromEntries([...inside.matchAll(/(\w+)="([^"]*)"/g)].map((found) => [found[1], found[2]]));
      const matches = Object.entries(labels).every(([label, wanted]) => {
        const there = has[label] ?? '';
        return typeof wanted === 'string' ? there === wanted : wanted.test(there);
      });
      if (matches) total += Number(value);
    }
    return total;
  }

  /** The bucket's upper bound, in the metric's unit, below which the quantile lies. */
  quantile(name: string, quantile: number): number {
    const buckets = new Map<number, number>();
    for (const line of this.#lines) {
      const found = /^([^{ ]+)_bucket\{.*le="([^"]+)".*\} (\S+)/.exec(line);
      if (found?.[1] !== name) continue;
      const bound = found[2] === '+Inf' ? Number.POSITIVE_INFINITY : Number(found[2]);
      buckets.set(bound, (buckets.get(bound) ?? 0) + Number(found[3]));
    }
    const total = buckets.get(Number.POSITIVE_INFINITY) ?? 0;
    const bounds = [...buckets.keys()].toSorted((a, b) => a - b);
    return bounds.find((bound) => (buckets.get(bound) ?? 0) >= total * quantile) ?? Number.NaN;
  }
}

/** Answers of 2xx to calls that change something. */
export function writes(samples: Samples): number {
  return samples.sum('rest_client_requests_total', { method: /^(POST|PUT|PATCH|DELETE)$/, code: /^2/ });
}
