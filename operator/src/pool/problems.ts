import { ISOLATION_FIELDS, type StartFailure, startFailureSchema, type TemplateFailure } from '@replpool/protocol';
import { type ContainerStatus, hasEnded, type PodObject } from './pod-object.ts';

/** What keeps a pod, or a template in it, from serving. */
export interface PodProblem {
  readonly pod: string;
  /**
   * - `unschedulable`: no node has room, or none fits; it waits and is no failure
   * - `image`: an image of it cannot be had
   * - `config`: it cannot be started as it is described
   * - `isolation`: its agent refused to start, for it cannot enforce what the pool demands
   * - `template`: its agent runs, and one of the pool's templates does not warm up
   * - `crash`: a container of it ends again and again
   */
  readonly kind: 'unschedulable' | 'image' | 'config' | 'isolation' | 'template' | 'crash';
  readonly message: string;
}

type Found = Omit<PodProblem, 'pod'>;

/** A container that ended so often is taken to crash, whatever it waits for at the moment. */
const CRASHES = 3;
const IMAGE_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull']);
const CONFIG_REASONS = new Set(['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError']);
/** Of what a container said at its end; a condition has room for little more. */
const LONGEST_WORD = 500;

/**
 * Why a pod does not serve; undefined where it does, or where nothing is known to be wrong.
 * @param failures what its agent says of its templates
 */
export function problemOf(pod: PodObject, failures: readonly TemplateFailure[] = []): PodProblem | undefined {
  const { name, deletionTimestamp } = pod.metadata;
  // What goes anyway is nobody's problem; of those that failed for good the streak tells.
  if (deletionTimestamp !== undefined || hasEnded(pod)) return undefined;
  const found = schedulingProblem(pod) ?? containersProblem(pod) ?? templateProblem(failures);
  return found && { pod: name, ...found };
}

function schedulingProblem({ status }: PodObject): Found | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined;
  return { kind: 'unschedulable', message: scheduled.message ?? '' };
}

function containersProblem({ status }: PodObject): Found | undefined {
  for (const each of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const found = containerProblem(each);
    if (found) return found;
  }
  return undefined;
}

function templateProblem(failures: readonly TemplateFailure[]): Found | undefined {
  if (failures.length === 0) return undefined;
  const said = failures.map(({ template, message }) => `template ${template}: ${message}`);
  return { kind: 'template', message: said.join('; ') };
}

function containerProblem({ name, state, lastState, ready, restartCount }: ContainerStatus): Found | undefined {
  const { reason = '', message = '' } = state?.waiting ?? {};
  if (IMAGE_REASONS.has(reason)) return { kind: 'image', message: message || reason };
  if (CONFIG_REASONS.has(reason)) return { kind: 'config', message: message || reason };
  if (ready) return undefined;
  const ended = state?.terminated ?? lastState?.terminated;
  const word = lastLine(ended?.message ?? '');
  const failure = startFailureOf(word);
  // Said once, it is so until the pool or the node is another.
  if (failure?.field?.startsWith(ISOLATION_FIELDS)) return { kind: 'isolation', message: failure.message };
  if (reason !== 'CrashLoopBackOff' && restartCount < CRASHES) return undefined;
  const how = ended === undefined ? '' : `, the last time with ${ended.reason ?? 'status'} ${ended.exitCode}`;
  const why = (failure?.message ?? word).slice(0, LONGEST_WORD).toWellFormed();
  return { kind: 'crash', message: `container ${name} ended ${restartCount} times${how}${why && `: ${why}`}` };
}

/** The end of what a container said; the kubelet keeps its log's end where the container wrote no message of its own. */
function lastLine(message: string): string {
  return message.trimEnd().split('\n').at(-1) ?? '';
}

function startFailureOf(line: string): StartFailure | undefined {
  try {
    return startFailureSchema.safeParse(JSON.parse(line)).data;
  } catch {
    // Most containers end with other words.
    return undefined;
  }
}
