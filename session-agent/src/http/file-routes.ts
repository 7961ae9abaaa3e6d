import { pipeline } from 'node:stream/promises';
import { parseBytes } from '@replpool/protocol';
import { type Request, Router } from 'express';
import { WorkFolder } from '../session/work-folder.ts';
import type { Sessions } from '../sessions.ts';
import { findSession } from './session-routes.ts';

/** The session's working folder. */
export function fileRoutes(sessions: Sessions): Router {
  const router = Router();
  const find = findSession(sessions);
  router.get('/v1/sessions/:id/files', async (request, response) => {
    response.json({ items: await new WorkFolder(find(request).workFolder).list() });
  });
  const one = router.route('/v1/sessions/:id/files/*path');
  one.get(async (request, response) => {
    const session = find(request);
    session.touch();
    const { handle, size } = await new WorkFolder(session.workFolder).open(pathOf(request));
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
    if (request.method === 'HEAD') {
      await handle.close();
      response.end();
      return;
    }
    // A file that grows meanwhile is sent as long as it was announced.
    await pipeline(handle.createReadStream({ end: Math.max(0, size - 1), start: 0 }), response);
  });
  one.put(async (request, response) => {
    const session = find(request);
    session.touch();
    const { disk } = session.toResource().limits;
    const content = request.iterator({ destroyOnReturn: false });
    const isNew = await new WorkFolder(session.workFolder).write(pathOf(request), content, parseBytes(disk));
    response.status(isNew ? 201 : 204).end();
  });
  one.delete(async (request, response) => {
    await new WorkFolder(find(request).workFolder).remove(pathOf(request));
    response.status(204).end();
  });
  return router;
}

function pathOf(request: Request): string {
  const { path } = request.params;
  return Array.isArray(path) ? path.join('/') : String(path);
}
