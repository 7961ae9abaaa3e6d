import { type ApiClient, isRecord, list, pathOf, resources } from '@replpool/kube';

/** An API server that is slow with its events does not hold up the replacement. */
const ANSWER_MS = 5_000;

/**
 * What the kubelet told of a pod's eviction in an Event; undefined where it told nothing. Of a pod whose containers end before the kubelet
 * has written that it evicts it, the status says only that it completed.
 * @throws ApiError, NoAnswerError
 */
export async function evictionOf(
  client: ApiClient,
  { namespace, uid }: { readonly namespace: string; readonly uid: string },
  outer: AbortSignal,
): Promise<string | undefined> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(ANSWER_MS)]);
  const query = { fieldSelector: `regarding.uid=${uid},reason=Evicted` };
  const { items } = await list(client, pathOf(resources.events, { namespace }), query, signal);
  const notes = items.map((event) => (isRecord(event) ? event.note : undefined));
  const note = notes.find((each) => typeof each === 'string');
  return note === undefined ? undefined : `Evicted: ${note}`;
}
