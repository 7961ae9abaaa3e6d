#!/usr/bin/env node
// A launcher in JavaScript. Node.js can neither fork nor be a subreaper: a zygote is a template that was tried once, each worker a process
// of its own that warms itself, and `kill` reaches its process group.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Connection, ProtocolError, statusOf } from './connection.mjs';

const program = join(import.meta.dirname, 'worker.mjs');
const zygotes = new Map();
/** Processes that live, by their pid. */
const children = new Map();
const [read, write] = (process.env.PYREPL_PROTOCOL_FDS ?? '0,1').split(',').map(Number);
delete process.env.PYREPL_PROTOCOL_FDS;

const hello = {
  language: 'javascript',
  languageVersion: process.versions.node,
  transport: 'fds',
  capabilities: ['launcher'],
  pid: process.pid,
};
const connection = new Connection(
  new Socket({ fd: read, writable: false }),
  new Socket({ fd: write, readable: false }),
  hello,
  {
    greeted: () => undefined,
    frame: receive,
    closed: (error) => {
      for (const pid of children.keys()) killGroup(pid);
      process.exit(statusOf(error));
    },
  },
);

function receive(message) {
  switch (message.type) {
    case 'zygote_start':
      return void warm(message);
    case 'zygote_stop':
      return void zygotes.delete(message.zygote);
    case 'fork':
      return fork(message);
    case 'kill':
      return kill(message);
    case 'shutdown':
      for (const pid of children.keys()) killGroup(pid);
      return process.exit(0);
    default:
      throw new ProtocolError(`a launcher knows no ${message.type}`);
  }
}

function start(options, stdio, env) {
  const REPLPOOL_WARM = JSON.stringify({ preload: options.preload, warmupCode: options.warmupCode });
  const child = spawn(process.execPath, [program], {
    stdio,
    detached: true,
    env: { ...process.env, ...options.env, REPLPOOL_WARM, ...env },
  });
  return child;
}

/** One worker that warms and ends tells whether all can. */
function warm({ zygote, preload, warmupCode, env }) {
  const began = performance.now();
  // At the end of its input it is refused, which comes after it has warmed.
  const child = start({ preload, warmupCode, env }, ['pipe', 'pipe', 'pipe'], {});
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  child.stdout.once('data', () => {
    zygotes.set(zygote, { preload, warmupCode, env });
    connection.send({ type: 'zygote_ready', zygote, pid: child.pid, durationMs: performance.now() - began });
    child.stdin.end();
  });
  child.on('close', () => {
    const error = { name: 'WarmupFailed', message: said.trim(), traceback: [said] };
    if (!zygotes.has(zygote)) connection.send({ type: 'zygote_failed', zygote, error });
  });
}

function fork({ zygote, worker, socket, token, directory }) {
  const options = zygotes.get(zygote);
  if (options === undefined)
    return connection.send({ type: 'fork_failed', worker, message: `there is no zygote ${zygote}` });
  let fds = [];
  try {
    const [out, err] = [join(directory, 'out'), join(directory, 'err')];
    execFileSync('mkfifo', [out, err]);
    // For writing alone, for what can read from fd 1 takes away output; what opens it for reading too does not wait for the agent.
    fds = [out, err].map((path) => openSync(path, constants.O_RDWR));
    fds.push(...[out, err].map((path) => openSync(path, constants.O_WRONLY)));
    const env = { REPLPOOL_SOCKET: socket, REPLPOOL_TOKEN: token, REPLPOOL_WORKER: worker };
    const child = start(options, ['ignore', ...fds.slice(2)], env);
    children.set(child.pid, { worker, child });
    child.once('exit', (code, signal) => {
      children.delete(child.pid);
      killGroup(child.pid);
      connection.send({ type: 'exited', pid: child.pid, ...(signal === null ? { code } : { signal }) });
    });
    connection.send({ type: 'forked', worker, pid: child.pid });
  } catch (error) {
    connection.send({
      type: 'fork_failed',
      worker,
      message: error.message,
      ...(error.errno && { errno: os.errno[error.code] }),
    });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function kill({ worker, pid }) {
  const killed = () => connection.send({ type: 'killed', worker });
  const living = children.get(pid);
  if (living?.worker !== worker) return killed();
  living.child.once('exit', killed);
  killGroup(pid);
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
