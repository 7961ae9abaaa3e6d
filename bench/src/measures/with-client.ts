import type { CreateSession, FrameCodec } from '@replpool/protocol';
import { Channel } from '../client/channel.ts';
import { HttpClient } from '../client/http-client.ts';
import { BenchSession } from '../client/session.ts';
import type { Context } from './measure.ts';

/** The two encodings of the channel. */
export const codecs: readonly FrameCodec[] = ['msgpack', 'json'];

/** Gives `use` a session that nobody else uses, over HTTP. */
export async function withSession<T>(
  context: Context,
  use: (session: BenchSession) => Promise<T>,
  body: CreateSession = {},
): Promise<T> {
  await using http = new HttpClient(context.service.url, context.signal);
  await using session = await BenchSession.create(http, body);
  return await use(session);
}

/** Gives `use` the channel of a session that nobody else uses. */
export async function withChannel<T>(
  context: Context,
  codec: FrameCodec,
  use: (channel: Channel) => Promise<T>,
): Promise<T> {
  return await withSession(context, async (session) => {
    using channel = await Channel.open(context.service.url, session.id, codec, context.signal);
    return await use(channel);
  });
}
