import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import Provider, { type Adapter } from 'oidc-provider';

export const AUDIENCE = 'https://replpool.example';

/** Clients that may have a token for themselves, and the groups that it says. */
const groups: Readonly<Record<string, readonly string[]>> = { ci: ['builders'], ops: ['builders', 'admins'] };
const clients = Object.keys(groups).map((client_id) => ({
  ...{ client_id, client_secret: `${client_id}-secret` },
  ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
}));

/** Nothing is to be kept: clients are given, and tokens are JWTs. */
class NoStore implements Adapter {
  async upsert() {}
  async consume() {}
  async destroy() {}
  async revokeByGrantId() {}
  async find() {
    return undefined;
  }
  async findByUid() {
    return undefined;
  }
  async findByUserCode() {
    return undefined;
  }
}

/** A claim that is undefined is left out. */
export type Claims = Readonly<Record<string, unknown>>;

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly jwk: JWK;
}

/** A real issuer of OpenID Connect on a port of the loopback. */
export class OidcIssuer implements AsyncDisposable {
  readonly #server: Server;
  #key: SigningKey;
  #keys = 0;
  /** Fetches of its keys. */
  keyFetches = 0;

  private constructor(server: Server, key: SigningKey) {
    this.#server = server;
    this.#key = key;
    this.#serve();
  }

  static async start(): Promise<OidcIssuer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OidcIssuer(server, await newKey('key-0'));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get key(): SigningKey {
    return this.#key;
  }

  /** Signs with a new key from now on, and publishes no other. */
  async rotate(): Promise<void> {
    this.#keys += 1;
    this.#key = await newKey(`key-${this.#keys}`);
    this.#serve();
  }

  /** A token of the grant `client_credentials`, as a service gets it. */
  async token(client: string, resource = AUDIENCE): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
    });
    const answer = (await response.json()) as { access_token?: string };
    if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`);
    return answer.access_token;
  }

  /** A token that says anything, signed with the issuer's own key, or another. */
  async sign(claims: Claims, { kid, alg, jwk }: SigningKey = this.#key): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const usual = { iss: this.url, aud: AUDIENCE, sub: 'ci', iat: now, exp: now + 60 };
    return await new SignJWT({ ...usual, ...claims }).setProtectedHeader({ alg, kid }).sign(jwk);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(): void {
    const { kid, alg, jwk } = this.#key;
    const provider = new Provider(this.url, {
      ...{ clients, adapter: NoStore, ttl: { ClientCredentials: 60 } },
      jwks: { keys: [{ ...jwk, kid, alg, use: 'sig' } as never] },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context, audience) => ({
            ...{ scope: '', audience, accessTokenTTL: 60, accessTokenFormat: 'jwt' },
            jwt: { sign: { alg: alg as 'RS256' } },
          }),
        },
      },
      extraTokenClaims: (_context, token) => ({ groups: groups[token.clientId ?? ''] ?? [] }),
    });
    const answer = provider.callback();
    this.#server.removeAllListeners('request').on('request', (req, res) => {
      if (req.url === '/jwks') this.keyFetches += 1;
      void answer(req, res);
    });
  }
}

export async function newKey(kid: string, alg = 'RS256'): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, jwk: await exportJWK(privateKey) };
}
