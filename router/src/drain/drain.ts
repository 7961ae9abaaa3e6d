import type { Server } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { pause, systemClock } from '@replpool/kube';
import { ReplPoolError } from '@replpool/protocol';
import { closeServer } from '@replpool/service';
import type { Logger } from 'pino';
import type { AgentDirectory } from '../agent-directory.ts';
import type { Channels } from '../channel.ts';
import type { Readiness } from '../readiness.ts';
import type { Answers } from './answers.ts';

/** For the last answers to leave. */
const FLUSH_MS = 1_000;

export interface DrainOptions {
  readonly server: Server;
  readonly readiness: Readiness;
  readonly answers: Answers;
  readonly channels: Channels;
  readonly directory: AgentDirectory;
  readonly log: Logger;
  /** From the beginning until what is under way is ended. */
  readonly seconds: number;
  /** The part of it for which new connections are taken as before. */
  readonly delaySeconds: number;
}

/**
 * Leaves without anybody noticing, as far as that can be: nobody is sent here any more, who is here is served to the end, and a channel's client
 * comes back to another router. Resolves when nothing is under way any more, at the deadline, or when the signal aborts.
 */
export async function drain(options: DrainOptions, signal: AbortSignal): Promise<void> {
  const { server, readiness, answers, channels, directory, log, seconds, delaySeconds } = options;
  const deadline = systemClock.now() + seconds * 1000;
  log.info({ seconds, delaySeconds }, 'draining');
  readiness.drain();
  answers.closeConnections();
  // Proxies on all nodes learn of it one after the other, and send new clients here until then.
  await pause(systemClock, Math.min(seconds, delaySeconds) * 1000, signal);
  if (signal.aborted) return;
  channels.restartAll();
  const done = new AbortController();
  const leftMs = Math.max(0, deadline - systemClock.now());
  closeServer(server, leftMs + FLUSH_MS).then(
    () => done.abort(),
    (error: unknown) => done.abort(error),
  );
  const ended = AbortSignal.any([done.signal, signal]);
  await pause(systemClock, leftMs, ended);
  if (ended.aborted) return;
  log.warn('what is still under way is ended');
  const why = tooLate();
  for (const agent of directory.agents) agent.cut(why);
  // What was at an agent has its answer by then.
  await setImmediate();
  answers.refuse(why);
  await pause(systemClock, FLUSH_MS, ended);
}

function tooLate(): ReplPoolError {
  return new ReplPoolError('DRAINING', 'the router ends before the answer came', {
    why: 'It was told to go, and its time is over; what was asked may have happened or not.',
    how: 'Repeat the request with the same id, another router takes it: it does not run twice.',
  });
}
