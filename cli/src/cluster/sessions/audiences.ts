import { z } from 'zod';

const claims = z.object({ aud: z.union([z.string().transform((one) => [one]), z.array(z.string())]) });

/** Whom a JSON Web Token (RFC 7519) is made out to, by its own word; nobody, for one without `aud` and for any other kind of token. */
export function audiencesOf(token: string): readonly string[] {
  const [, payload = ''] = token.split('.');
  try {
    return claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString())).aud;
  } catch {
    return [];
  }
}
