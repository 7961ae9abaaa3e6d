// A worker in JavaScript: the protocol on this thread, the user's code on another, so that heartbeats, interrupts and `shutdown` get
// through however busy the code is. Small, for the conformance suite; what it announces it does.
import { execFileSync } from 'node:child_process';
import { Socket } from 'node:net';
import process from 'node:process';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { Connection, EX_PROTOCOL, EX_SOFTWARE, ProtocolError, statusOf } from './connection.mjs';

const {
  PYREPL_PROTOCOL_FDS: fds,
  REPLPOOL_SOCKET: path,
  REPLPOOL_TOKEN: token,
  REPLPOOL_WARM: warm = '{}',
} = process.env;
for (const name of ['REPLPOOL_SOCKET', 'REPLPOOL_TOKEN', 'REPLPOOL_WARM']) delete process.env[name];
const transport = path === undefined ? (fds === undefined ? 'stdio' : 'fds') : 'socket';
/** The running execution by its number; negative once it is interrupted, 0 where none runs. */
const running = new Int32Array(new SharedArrayBuffer(4));
/** How often the other thread was sent something; it waits for this where it waits for an answer. */
const sent = new Int32Array(new SharedArrayBuffer(4));
/** The execution whose `started` was written: nothing that its code writes may overtake it. */
const announced = new Int32Array(new SharedArrayBuffer(4));
/** Executions that have not finished, and their numbers. */
const numbers = new Map();
let last = 0;

const kernel = new Worker(new URL('./kernel.mjs', import.meta.url), {
  env: SHARE_ENV,
  stdout: false,
  workerData: { running, sent, announced, isStdio: transport === 'stdio', warm: JSON.parse(warm) },
});
kernel.on('message', ({ type, ...message }) => {
  if (type === 'finished') numbers.delete(message.execution);
  if (type === 'failed') end(new Error(message.message));
  else if (type === 'warm') connect();
  else tell({ type, ...message });
  if (type === 'started') {
    Atomics.store(announced, 0, numbers.get(message.execution));
    Atomics.notify(announced, 0);
  }
});
kernel.on('error', (error) => end(error));
// User code that ends its thread ends the worker.
kernel.on('exit', (status) => process.exit(status));

let connection;

function connect() {
  const capabilities = ['input', 'complete', 'inspect', 'variables'];
  const hello = {
    language: 'javascript',
    languageVersion: process.versions.node,
    transport,
    capabilities,
    pid: process.pid,
  };
  let streams;
  try {
    streams = openStreams();
  } catch (error) {
    process.stderr.write(`worker.mjs: no connection: ${error.message}\n`);
    process.exit(EX_PROTOCOL);
  }
  connection = new Connection(
    ...streams,
    { ...hello, token },
    {
      greeted: () => connection.send({ type: 'ready' }),
      frame: receive,
      closed: end,
    },
  );
}

function openStreams() {
  if (path !== undefined) {
    const socket = new Socket().connect(path);
    return [socket, socket];
  }
  const [read, write] = fds === undefined ? [0, 1] : fds.split(',').map(Number);
  if (read === write) {
    const socket = new Socket({ fd: read });
    return [socket, socket];
  }
  return [new Socket({ fd: read, writable: false }), new Socket({ fd: write, readable: false })];
}

function receive(message) {
  switch (message.type) {
    case 'execute':
      if (typeof message.execution !== 'string' || typeof message.code !== 'string') {
        throw new ProtocolError("an execute without an execution's id or its code");
      }
      last += 1;
      numbers.set(message.execution, last);
      return post({ ...message, number: last });
    case 'interrupt':
      return interrupt(message.execution);
    case 'input_reply':
    case 'complete':
    case 'inspect':
    case 'variables':
      return post(message);
    case 'open':
      return connection.send({ type: 'opened', session: message.session, ...open(message) });
    case 'heartbeat':
      return connection.send({ type: 'heartbeat' });
    case 'shutdown':
      return process.exit(0);
    default:
      throw new ProtocolError(`a worker knows no ${message.type}`);
  }
}

function post(message) {
  kernel.postMessage(message);
  Atomics.add(sent, 0, 1);
  Atomics.notify(sent, 0);
}

/** The kernel ends no execution whose number was taken here before the signal came: it cannot reach the next one. */
function interrupt(execution) {
  const number = numbers.get(execution);
  if (number === undefined || Atomics.compareExchange(running, 0, number, -number) !== number) return;
  process.kill(process.pid, 'SIGINT');
}

function open({ cwd, env, fileDescriptors }) {
  try {
    if (cwd) process.chdir(cwd);
    for (const [name, value] of Object.entries(env ?? {})) {
      if (value === null) delete process.env[name];
      else process.env[name] = value;
    }
    // Node.js has no setrlimit.
    if (fileDescriptors)
      execFileSync('prlimit', [`--pid=${process.pid}`, `--nofile=${fileDescriptors}:${fileDescriptors}`]);
    return {};
  } catch (error) {
    return { error: { name: error.name, message: error.message, traceback: [`${error.name}: ${error.message}`] } };
  }
}

function tell(message) {
  try {
    connection.send(message);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const { type, execution, request, ...rest } = message;
    if (request !== undefined)
      connection.send({ type: 'problem', request, code: 'PAYLOAD_TOO_LARGE', message: error.message });
    else connection.send({ type: 'warning', execution, code: 'OUTPUT_TRUNCATED', message: error.message });
    if (type === 'error')
      connection.send({ type, execution, ...rest, error: { name: rest.error.name, message: '', traceback: [] } });
  }
}

function end(error) {
  const status = statusOf(error);
  process.exit(error === undefined || status === EX_PROTOCOL ? status : EX_SOFTWARE);
}
