import { z } from 'zod';

/** A Kubernetes quantity as text: a decimal number with a suffix (n u m k M G T P E, Ki Mi Gi Ti Pi Ei) or an exponent. */
export const QUANTITY_PATTERN = /^(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?$/;

/** A quantity, written as in Kubernetes: `"512Mi"`, `"500m"`, `2`. */
export const quantitySchema = z
  .union([z.int().min(0), z.string().max(32).regex(QUANTITY_PATTERN, 'not a quantity such as 512Mi, 2 or 500m')])
  .describe('A Kubernetes quantity: 512Mi, 2, 500m.');
export type Quantity = z.infer<typeof quantitySchema>;

const multipliers: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that a quantity stands for; throws RangeError where it is none. */
export function parseQuantity(quantity: Quantity): number {
  if (typeof quantity === 'number') {
    if (Number.isFinite(quantity) && quantity >= 0) return quantity;
    throw new RangeError(`not a quantity: ${quantity}`);
  }
  const match = QUANTITY_PATTERN.exec(quantity);
  if (match === null) throw new RangeError(`not a quantity: ${JSON.stringify(quantity)}`);
  const suffix = match[3] ?? '';
  const multiplier = multipliers[suffix];
  if (multiplier !== undefined) return Number(match[1]) * multiplier;
  return Number(quantity);
}

/** The whole bytes of a quantity of memory or disk, rounded up as Kubernetes does. */
export function parseBytes(quantity: Quantity): number {
  return Math.ceil(parseQuantity(quantity));
}

/** The cores of a quantity of cpu: `"500m"` is 0.5. */
export function parseCores(quantity: Quantity): number {
  return parseQuantity(quantity);
}
