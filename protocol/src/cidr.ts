import { z } from 'zod';

const OCTET = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = `(${OCTET}\\.){3}${OCTET}/(3[0-2]|[12]?[0-9])`;
const GROUP = '[0-9A-Fa-f]{1,4}';
/** All eight groups, or up to seven of them on the two sides of `::`. */
const IPV6_ADDRESSES = [`${GROUP}(:${GROUP}){7}`, ...Array.from({ length: 8 }, (_, before) => shortened(before))];
const IPV6 = `(${IPV6_ADDRESSES.join('|')})/(12[0-8]|1[01][0-9]|[1-9]?[0-9])`;

function shortened(before: number): string {
  const left = before === 0 ? '' : `${GROUP}(:${GROUP}){${before - 1}}`;
  const most = 7 - before;
  return most === 0 ? `${left}::` : `${left}::(${GROUP}(:${GROUP}){0,${most - 1}})?`;
}

/**
 * Addresses of a network, as a NetworkPolicy takes them: `10.0.0.0/8`, `2001:db8::/32`. A pattern, for the CRD has nothing else on a
 * Kubernetes before 1.31, where CEL has no `isCIDR`.
 */
export const cidr = z
  .string()
  .max(64)
  .regex(new RegExp(`^(${IPV4}|${IPV6})$`), 'must be the addresses of a network, as 10.0.0.0/8');
