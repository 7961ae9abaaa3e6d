import { type KubeObject, keyOf } from '../api/object.ts';

export type Change<T extends KubeObject> =
  | { readonly kind: 'added'; readonly now: T }
  | { readonly kind: 'changed'; readonly before: T; readonly now: T }
  | { readonly kind: 'deleted'; readonly before: T };

/** What one object's news means for whoever knew `before`. The same name with another uid is another object. */
export function changeOf<T extends KubeObject>(before: T | undefined, now: T): readonly Change<T>[] {
  if (before === undefined) return [{ kind: 'added', now }];
  if (before.metadata.uid !== now.metadata.uid) {
    return [
      { kind: 'deleted', before },
      { kind: 'added', now },
    ];
  }
  return before.metadata.resourceVersion === now.metadata.resourceVersion ? [] : [{ kind: 'changed', before, now }];
}

/** What a whole list says, compared with what was known. */
export function changesOf<T extends KubeObject>(known: ReadonlyMap<string, T>, listed: readonly T[]): Change<T>[] {
  const keys = new Set(listed.map(keyOf));
  const gone = [...known].filter(([key]) => !keys.has(key)).map(([, before]) => ({ kind: 'deleted', before }) as const);
  return [...gone, ...listed.flatMap((now) => changeOf(known.get(keyOf(now)), now))];
}
