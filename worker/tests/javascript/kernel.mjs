// The thread of the user's code: a context of node:vm is the namespace.
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';
import { format, inspect } from 'node:util';
import { createContext, Script } from 'node:vm';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { complete, describe, inspectAt, Variables } from './introspection.mjs';

const { running, sent, announced, isStdio, warm } = workerData;
const require = createRequire(`${process.cwd()}/`);
/** 1 is "look": Node.js cannot ask a pipe how much stands in it. */
const pipes = isStdio ? [0, 0] : [1, 1];
/** What came while the code waited for an answer. */
const later = [];
let job;
let questions = 0;
/** The question that the code waits for. */
let asked;

const tell = (message) => parentPort.postMessage(message);
/** The execution that a frame is of, if one runs: what a timer of an earlier one sends names none. */
const placed = () => (job === undefined ? {} : { execution: job.execution });

function write(stream, text) {
  if (isStdio) return tell({ type: stream, ...placed(), data: Buffer.from(text) });
  for (let data = Buffer.from(text); data.length > 0; ) {
    try {
      data = data.subarray(writeSync(stream === 'stdout' ? 1 : 2, data));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      sleep(0.002);
    }
  }
}

/** Seconds; an interrupt ends it. */
function sleep(seconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
}

/** A line of the client's, null at the end of its input. An interrupt ends the wait. */
function ask(prompt, password) {
  questions += 1;
  asked = String(questions);
  tell({ type: 'input_request', ...placed(), request: asked, prompt: String(prompt), password, main: true, pipes });
  for (;;) {
    const seen = Atomics.load(sent, 0);
    const message = receiveMessageOnPort(parentPort)?.message;
    if (message === undefined) Atomics.wait(sent, 0, seen);
    else if (message.type !== 'input_reply') later.push(message);
    else if (String(message.request) === asked) {
      asked = undefined;
      return message.eof || message.value === undefined ? null : message.value;
    }
  }
}

function show(type, value, { raw = false, metadata = {}, displayId } = {}) {
  const data = raw ? value : { 'text/plain': inspect(value) };
  const transient = displayId === undefined ? {} : { transient: { display_id: String(displayId) } };
  tell({ type, ...placed(), data, metadata, ...transient, pipes });
}

/** What a timer of the user's throws ends nothing. */
process.on('uncaughtException', (error) => write('stderr', describe(error).traceback.join('')));

const context = createContext({
  console: {
    log: (...values) => write('stdout', `${format(...values)}\n`),
    error: (...values) => write('stderr', `${format(...values)}\n`),
  },
  input: (prompt = '') => ask(prompt, false),
  getpass: (prompt = 'Password: ') => ask(prompt, true),
  display: (value, options) => show('display', value, options),
  updateDisplay: (value, options) => show('update_display', value, options),
  clearOutput: (wait = false) => tell({ type: 'clear_output', ...placed(), wait: Boolean(wait), pipes }),
  ...{ sleep, require, setTimeout, clearTimeout },
});
const variables = new Variables(context);

/** All of an execution, and its result's text; in a script of ours, for only a script is ended by SIGINT. */
const gate = new Script('runJob()');
globalThis.runJob = () => {
  Atomics.store(running, 0, job.number);
  tell({ type: 'started', execution: job.execution });
  while (Atomics.load(announced, 0) !== job.number) Atomics.wait(announced, 0, job.number - 1);
  try {
    const value = new Script(job.code, { filename: `<execution ${job.executionCount}>` }).runInContext(context);
    if (value !== undefined && !job.silent) job.result = { 'text/plain': inspect(value) };
  } catch (error) {
    job.error = describe(error);
  }
  // Interrupted, and the signal is on its way: it ends this wait, and nothing that comes later.
  if (Atomics.compareExchange(running, 0, job.number, 0) !== job.number) sleep(Number.POSITIVE_INFINITY);
};

function execute(message) {
  const { execution, executionCount = 0 } = message;
  const before = variables.fingerprints();
  const cpu = process.cpuUsage();
  job = message;
  let status = 'ok';
  try {
    gate.runInThisContext({ breakOnSigint: true });
    if (job.error !== undefined) status = 'error';
  } catch {
    status = 'interrupted';
    job.error = { name: 'Interrupted', message: '', traceback: ['Interrupted\n'] };
  }
  Atomics.store(running, 0, 0);
  if (asked !== undefined) tell({ type: 'input_cancelled', request: asked });
  asked = undefined;
  if (status === 'ok' && job.result !== undefined)
    tell({ type: 'result', execution, data: job.result, metadata: {}, pipes });
  if (status !== 'ok') tell({ type: 'error', execution, error: job.error, pipes });
  job = undefined;
  const { user, system } = process.cpuUsage(cpu);
  const usage = { cpuMs: (user + system) / 1000, maxRssBytes: process.resourceUsage().maxRSS * 1024 };
  const changes = variables.changesSince(before);
  tell({ type: 'finished', execution, status, executionCount, variables: changes, usage, pipes });
}

/** @returns the value of a reply, undefined for a variable that there is not */
function answer({ type, name, code, cursor }) {
  if (type === 'complete') return complete(context, code, cursor);
  if (type === 'inspect') return inspectAt(context, code, cursor);
  return name === undefined ? { items: variables.list() } : variables.detail(name);
}

function reply(message) {
  const { request } = message;
  try {
    const value = answer(message);
    const problem = { code: 'VARIABLE_NOT_FOUND', message: `there is no variable ${message.name}` };
    tell(value === undefined ? { type: 'problem', request, ...problem } : { type: 'reply', request, value });
  } catch (error) {
    tell({ type: 'problem', request, code: 'INTERNAL', message: `${message.type} failed: ${error.message}` });
  }
}

function receive(message) {
  // A reply to a question that was given up meanwhile is dropped.
  if (message.type === 'execute') execute(message);
  else if (message.type !== 'input_reply') reply(message);
  while (later.length > 0) receive(later.shift());
}

try {
  for (const module of warm.preload ?? []) require(module);
  new Script(warm.warmupCode ?? '', { filename: '<warmupCode>' }).runInContext(context);
  parentPort.on('message', receive);
  tell({ type: 'warm' });
} catch (error) {
  tell({ type: 'failed', message: describe(error).traceback.join('') });
}
