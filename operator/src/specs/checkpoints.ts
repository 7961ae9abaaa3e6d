import type { Pool } from './owned.ts';
import type { PodPart } from './pod-part.ts';

export const CHECKPOINTS_DIRECTORY = '/var/lib/replpool/checkpoints';

/** The pool's claim, which all of its pods share, or a folder that ends with the pod. */
export function checkpoints({ spec }: Pool): PodPart {
  const claim = spec.checkpoints.store?.persistentVolumeClaim;
  return {
    volumes: [
      {
        name: 'checkpoints',
        ...(claim ? { persistentVolumeClaim: { claimName: claim.claimName } } : { emptyDir: {} }),
      },
    ],
    mounts: [{ name: 'checkpoints', mountPath: CHECKPOINTS_DIRECTORY }],
  };
}
