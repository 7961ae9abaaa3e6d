// What the namespace holds, told without calling the user's code. Names of let, const and class persist, but JavaScript lists them nowhere.
import { inspect } from 'node:util';

const safely = { customInspect: false, getters: false, depth: 2, maxArrayLength: 100, maxStringLength: 1000 };
const summaryOf = (value) => inspect(value, { ...safely, breakLength: Number.POSITIVE_INFINITY }).slice(0, 200);
const typeOf = (value) => (value === null ? 'null' : Array.isArray(value) ? 'Array' : typeof value);

/** The variables of a context beyond those that it began with. */
export class Variables {
  #context;
  #own;

  constructor(context) {
    this.#context = context;
    this.#own = new Set(Object.getOwnPropertyNames(context));
  }

  #names() {
    return Object.getOwnPropertyNames(this.#context).filter((name) => !this.#own.has(name));
  }

  #entry(name) {
    const value = propertyOf(this.#context, name);
    return { name, type: typeOf(value), summary: summaryOf(value) };
  }

  list() {
    return this.#names().map((name) => this.#entry(name));
  }

  detail(name) {
    if (!this.#names().includes(name)) return undefined;
    const text = inspect(propertyOf(this.#context, name), safely);
    return { ...this.#entry(name), preview: { data: { 'text/plain': text }, metadata: {} } };
  }

  fingerprints() {
    const entry = (name) => [
      name,
      { value: propertyOf(this.#context, name), text: summaryOf(propertyOf(this.#context, name)) },
    ];
    return new Map(this.#names().map(entry));
  }

  changesSince(before) {
    const after = this.fingerprints();
    const isSame = (name) =>
      Object.is(before.get(name).value, after.get(name).value) && before.get(name).text === after.get(name).text;
    const [old, now] = [[...before.keys()], [...after.keys()]];
    return {
      added: now.filter((name) => !before.has(name)),
      changed: now.filter((name) => before.has(name) && !isSame(name)),
      deleted: old.filter((name) => !after.has(name)),
    };
  }
}

/** An own or inherited property, without calling a getter. */
function propertyOf(object, name) {
  for (let at = object; at !== null && at !== undefined; at = Object.getPrototypeOf(Object(at))) {
    const found = Object.getOwnPropertyDescriptor(Object(at), name);
    if (found !== undefined) return found.value;
  }
  return undefined;
}

function resolve(context, path) {
  return path.reduce((object, name) => (object === undefined ? undefined : propertyOf(object, name)), context);
}

/** Completions at the cursor, which counts code points. */
export function complete(context, code, cursor) {
  const before = Array.from(code).slice(0, cursor).join('');
  const path = (/[\w$.]*$/.exec(before)?.[0] ?? '').split('.');
  const prefix = path.pop();
  const names = new Set();
  for (let at = resolve(context, path); at !== null && at !== undefined; at = Object.getPrototypeOf(Object(at))) {
    for (const name of Object.getOwnPropertyNames(Object(at))) if (name.startsWith(prefix)) names.add(name);
  }
  return { matches: [...names].sort(), cursorStart: cursor - prefix.length, cursorEnd: cursor };
}

/** What stands at the cursor. */
export function inspectAt(context, code, cursor) {
  const points = Array.from(code);
  const before = /[\w$.]*$/.exec(points.slice(0, cursor).join(''))?.[0] ?? '';
  const behind = /^[\w$]*/.exec(points.slice(cursor).join(''))?.[0] ?? '';
  const value = resolve(context, `${before}${behind}`.split('.'));
  if (value === undefined) return { found: false, data: {} };
  const text = typeof value === 'function' ? Function.prototype.toString.call(value) : inspect(value, safely);
  return { found: true, data: { 'text/plain': text } };
}

/** An error of the user's, whatever was thrown, with the lines of its own code. */
export function describe(error) {
  const isError = typeof error === 'object' && error !== null && typeof error.message === 'string';
  if (!isError) return { name: typeof error, message: String(error), traceback: [`${String(error)}\n`] };
  const name = String(error.name ?? 'Error');
  const frames = String(error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at .*<(execution|warmupCode)/.test(line));
  return {
    name,
    message: error.message,
    traceback: [`${name}: ${error.message}\n`, ...frames.map((line) => `${line}\n`)],
  };
}
