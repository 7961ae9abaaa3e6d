import { rmSync } from 'node:fs';

/** Removes what is there. Where the disk or the code's own chmod refuses even that, it goes with the session's folder or with the pod. */
export function discard(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Nothing that a reader or the session could do about it.
  }
}
