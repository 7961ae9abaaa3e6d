import { createSessionSchema } from '@replpool/protocol';
import type { RequestHandler } from 'express';
import type { Sessions } from '../sessions.ts';
import { readBody } from './body.ts';
import { ownerOf } from './owner.ts';

/** POST /v1/sessions */
export function createSession(sessions: Sessions): RequestHandler {
  return async (request, response) => {
    const body = await readBody(request, createSessionSchema);
    const { session, created } = await sessions.create(body, ownerOf(request));
    response.status(created ? 201 : 200).json(session.toResource());
  };
}
