import { isRecord } from '@replpool/kube';

/** Shorter ones are in every other word; longer ones are worth a word that is gone. */
const SHORTEST = 4;
/** Code is mostly no secret. */
const SHORTEST_STRING = 6;
const SHORTEST_LINE = 8;
const ordinary = /^(\d{1,5}|true|false|none|null|info|debug|warn(ing)?|error|python\d?|utf-?8|[\d.]{1,10})$/i;
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Values that were found where secrets may stand, and that logs, events and messages may repeat: of variables of the environment, and lines
 * and strings of code.
 * @param objects of the API server, as they are
 * @param names of objects, which are no secrets even where a variable has them as its value
 * @returns each in the forms that texts have it in, the longest first
 */
export function knownSecrets(objects: readonly unknown[], names: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const object of objects) collect(object, found);
  const telling = [...found].filter((value) => !ordinary.test(value) && !names.has(value));
  return [...new Set(telling.flatMap(forms))].toSorted((a, b) => b.length - a.length);
}

function collect(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, found);
  if (!isRecord(value)) return;
  if (typeof value.name === 'string' && typeof value.value === 'string') addText(value.value, found);
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'string') collect(item, found);
    else if (key === 'warmupCode') addCode(item, found);
    else if (key === lastApplied || item.startsWith('{')) collect(parsed(item), found);
  }
}

/** JSON in a text: what was applied last, and the files in ConfigMaps. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function addText(text: string, found: Set<string>): void {
  const lines = text.includes('\n') ? text.split('\n') : [];
  for (const each of [text, text.trim(), ...lines.filter((line) => line.length >= SHORTEST_LINE)]) {
    if (each.length >= SHORTEST) found.add(each);
  }
}

/** A traceback shows lines, an error of a library the strings that it was given. */
function addCode(code: string, found: Set<string>): void {
  const lines = code.split('\n').map((line) => line.trim());
  const strings = [...code.matchAll(/(["'])((?:\\.|(?!\1).)+)\1/g)].map(([, , text = '']) => text);
  for (const line of lines) if (line.length >= SHORTEST_LINE) found.add(line);
  for (const text of strings) if (text.length >= SHORTEST_STRING) found.add(text);
}

/** As it is, within JSON, within a URL, and in base64. */
function forms(value: string): string[] {
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value.toWellFormed()),
    Buffer.from(value).toString('base64').replace(/=+$/, ''),
  ];
}
