import { join } from 'node:path';
import { python } from '../python.ts';

/** How a language's worker is started, and how what the suite asks of every worker is written in it. */
export interface Language {
  readonly name: string;
  /** The worker, started directly. */
  command(): readonly [string, ...string[]];
  /** Writes a line. */
  print(text: string): string;
  printError(text: string): string;
  /** An expression. */
  readonly sum: string;
  /** Makes the variable v with the value 1, and raises it by 1. */
  readonly assign: string;
  readonly increment: string;
  readonly remove: string;
  /** Its value as an expression. */
  readonly read: string;
  readonly loop: string;
  /** Seconds. */
  sleep(seconds: number): string;
  /** Asks for a line and shows what came; the end of input is shown as `end`. */
  readonly input: string;
  readonly password: string;
  /** Raises an error whose text is an expression. */
  raise(text: string): string;
  readonly errorName: string;
  readonly syntaxError: string;
  /** Shows the bytes 0 and 255 as image/png, under an id. */
  readonly display: string;
  readonly updateDisplay: string;
  readonly clearOutput: string;
  /** Shows something after the execution has ended. */
  readonly displayLater: string;
  /** Expressions: a text of so many characters, the variable of the environment, the working folder, the limit of open files. */
  text(length: number): string;
  environment(name: string): string;
  readonly folder: string;
  readonly fileLimit: string;
  /** What the text of a result is, of a text. */
  quoted(text: string): string;
  /** The start of a name that there is, and that name. */
  readonly completion: readonly [string, string];
}

const javascript = join(import.meta.dirname, '../../../worker/tests/javascript/worker.mjs');
/** The launcher of the worker in JavaScript. */
export const javascriptLauncher: [string, string] = [
  process.execPath,
  join(import.meta.dirname, '../../../worker/tests/javascript/launcher.mjs'),
];

export const languages: readonly Language[] = [
  {
    name: 'python',
    command: () => [python(), '-m', 'replpool_worker'],
    print: (text) => `print(${JSON.stringify(text)})`,
    printError: (text) => `import sys; print(${JSON.stringify(text)}, file=sys.stderr)`,
    sum: '1 + 1',
    assign: 'v = 1',
    increment: 'v += 1',
    remove: 'del v',
    read: 'v',
    loop: 'while True: pass',
    sleep: (seconds) => `import time; time.sleep(${seconds})`,
    input: 'try:\n  print("got " + input("name? "))\nexcept EOFError:\n  print("end")',
    password: 'import getpass; print(len(getpass.getpass("key? ")))',
    raise: (text) => `raise ValueError(${text})`,
    errorName: 'ValueError',
    syntaxError: 'def (',
    display: 'shown = display({"image/png": b"\\x00\\xff"}, raw=True, display_id="one")',
    updateDisplay: 'update_display({"image/png": b"\\x00\\xff"}, raw=True, display_id="one")',
    clearOutput: 'clear_output(wait=True)',
    displayLater: 'import threading; threading.Timer(0.3, lambda: display(5)).start()',
    text: (length) => `"x" * ${length}`,
    environment: (name) => `import os; os.environ.get("${name}", "unset")`,
    folder: 'import os; os.getcwd()',
    fileLimit: 'import resource; resource.getrlimit(resource.RLIMIT_NOFILE)[0]',
    quoted: (text) => `'${text}'`,
    completion: ['prin', 'print'],
  },
  {
    name: 'javascript',
    command: () => [process.execPath, javascript],
    print: (text) => `console.log(${JSON.stringify(text)})`,
    printError: (text) => `console.error(${JSON.stringify(text)})`,
    sum: '1 + 1',
    // Not by var, whose names cannot be deleted.
    assign: 'v = 1; undefined',
    increment: 'v += 1; undefined',
    remove: 'delete globalThis.v; undefined',
    read: 'v',
    loop: 'for (;;);',
    sleep: (seconds) => `sleep(${seconds})`,
    input: 'console.log((line => line === null ? "end" : "got " + line)(input("name? ")))',
    password: 'console.log(getpass("key? ").length)',
    raise: (text) => `throw new RangeError(${text})`,
    errorName: 'RangeError',
    syntaxError: 'function (',
    display: 'display({"image/png": new Uint8Array([0, 255])}, {raw: true, displayId: "one"})',
    updateDisplay: 'updateDisplay({"image/png": new Uint8Array([0, 255])}, {raw: true, displayId: "one"})',
    clearOutput: 'clearOutput(true)',
    displayLater: 'setTimeout(() => display(5), 300); undefined',
    text: (length) => `"x".repeat(${length})`,
    environment: (name) => `require("node:process").env.${name} ?? "unset"`,
    folder: 'require("node:process").cwd()',
    fileLimit: 'Number(/Max open files +(\\d+)/.exec(require("node:fs").readFileSync("/proc/self/limits", "utf8"))[1])',
    quoted: (text) => `'${text}'`,
    completion: ['clearO', 'clearOutput'],
  },
];
