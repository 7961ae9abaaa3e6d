import assert from 'node:assert/strict';
import { oidcConfigSchema } from '@replpool/protocol';
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT } from 'jose';
import { pino } from 'pino';
import { ALL, OWN } from '../src/auth/caller.ts';
import { Oidc } from '../src/auth/oidc/oidc.ts';
import { Harness, ids } from './harness.ts';
import { AUDIENCE, type Claims, newKey, OidcIssuer } from './oidc-issuer.ts';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const log = pino({ level: 'silent' });

/** What the mode makes of tokens of an issuer; keys that are not known are looked for at once. */
class Tried implements AsyncDisposable {
  readonly issuer: OidcIssuer;
  readonly oidc: Oidc;

  private constructor(issuer: OidcIssuer, oidc: Oidc) {
    this.issuer = issuer;
    this.oidc = oidc;
  }

  static async start(config: object = {}, cooldownMs = 0): Promise<Tried> {
    const issuer = await OidcIssuer.start();
    const wanted = { mode: 'oidc', issuer: issuer.url, audience: AUDIENCE, adminGroups: ['admins'], ...config };
    const it = new Tried(issuer, new Oidc(oidcConfigSchema.parse(wanted), log, cooldownMs));
    while (!it.oidc.ready) await new Promise((resolve) => setTimeout(resolve, 10));
    return it;
  }

  /** The name of the caller, else the code of the refusal. */
  async says(token: string): Promise<string> {
    const caller = await this.oidc.authenticate(bearer(token));
    return 'name' in caller && 'rights' in caller ? caller.name : caller.code;
  }

  async saysOf(claims: Claims): Promise<string> {
    return await this.says(await this.issuer.sign(claims));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.oidc[Symbol.dispose]();
    await this.issuer[Symbol.asyncDispose]();
  }
}

describe('tokens of an issuer', () => {
  it('let a client in under its name, and into its own sessions alone', async () => {
    await using it = await Tried.start();
    const caller = await it.oidc.authenticate(bearer(await it.issuer.token('ci')));
    assert.deepEqual(caller, { name: 'ci', rights: OWN });
  });

  it('make an admin of whose groups say so', async () => {
    await using it = await Tried.start();
    const caller = await it.oidc.authenticate(bearer(await it.issuer.token('ops')));
    assert.deepEqual(caller, { name: 'ops', rights: ALL });
  });

  it('are verified once while they are fresh', async () => {
    await using it = await Tried.start();
    const token = await it.issuer.token('ci');
    assert.equal(await it.says(token), 'ci');
    assert.equal(it.oidc.authenticate(bearer(token)) instanceof Promise, false);
  });

  it('are refused for another audience, also of the same issuer', async () => {
    await using it = await Tried.start();
    assert.equal(await it.says(await it.issuer.token('ci', 'https://other.example')), 'UNAUTHENTICATED');
  });

  it('are refused of another issuer, also with keys of this one', async () => {
    await using it = await Tried.start();
    await using other = await OidcIssuer.start();
    assert.equal(await it.says(await other.token('ci')), 'UNAUTHENTICATED');
    assert.equal(await it.saysOf({ iss: other.url }), 'UNAUTHENTICATED');
  });

  it('are refused when they have ended, begin later, or have no end', async () => {
    await using it = await Tried.start();
    const now = Math.floor(Date.now() / 1000);
    assert.equal(await it.saysOf({ exp: now - 10 }), 'UNAUTHENTICATED');
    assert.equal(await it.saysOf({ nbf: now + 60 }), 'UNAUTHENTICATED');
    assert.equal(await it.saysOf({ exp: undefined }), 'UNAUTHENTICATED');
    assert.equal(await it.saysOf({}), 'ci');
  });

  it('are refused without a signature, and with one by what is public', async () => {
    await using it = await Tried.start();
    const { jwk, kid } = it.issuer.key;
    const claims = new UnsecuredJWT({ sub: 'ci', groups: ['admins'] }).setIssuer(it.issuer.url).setAudience(AUDIENCE);
    assert.equal(await it.says(claims.setExpirationTime('1m').encode()), 'UNAUTHENTICATED');
    // The confusion of RS256 with HS256: the public key as a shared secret.
    const { n, e } = jwk;
    const publicKey = await importJWK({ kty: 'RSA', n, e } as never, 'RS256', { extractable: true });
    const secret = Buffer.from(await exportSPKI(publicKey as never));
    const forged = new SignJWT({ sub: 'ci' }).setIssuer(it.issuer.url).setAudience(AUDIENCE).setExpirationTime('1m');
    assert.equal(await it.says(await forged.setProtectedHeader({ alg: 'HS256', kid }).sign(secret)), 'UNAUTHENTICATED');
    assert.equal(await it.says(await it.issuer.sign({}, await newKey(kid))), 'UNAUTHENTICATED');
  });

  it('are refused by an algorithm that is not on the list', async () => {
    await using it = await Tried.start({ algorithms: ['ES256'] });
    assert.equal(await it.says(await it.issuer.token('ci')), 'UNAUTHENTICATED');
    for (const algorithm of ['none', 'HS256']) {
      const config = { mode: 'oidc', issuer: it.issuer.url, audience: AUDIENCE, algorithms: [algorithm] };
      assert.equal(oidcConfigSchema.safeParse(config).success, false);
    }
  });

  it('that are no tokens are refused', async () => {
    await using it = await Tried.start();
    for (const token of ['x', 'a.b.c', '..', `${'a'.repeat(5_000)}.b.c`]) {
      assert.equal(await it.says(token), 'UNAUTHENTICATED', token.slice(0, 10));
    }
  });

  it('name the caller by the claim that was asked for', async () => {
    await using it = await Tried.start({ usernameClaim: 'email' });
    assert.equal(await it.saysOf({ email: 'ann@example.com' }), 'ann@example.com');
    assert.equal(await it.saysOf({ email: 'ann@example.com', email_verified: false }), 'UNAUTHENTICATED');
    assert.equal(await it.saysOf({ email: 'ann@example.com', email_verified: true }), 'ann@example.com');
    for (const unproven of ['false', 'true', 'no', 0, 1, null]) {
      assert.equal(await it.saysOf({ email: 'ann@example.com', email_verified: unproven }), 'UNAUTHENTICATED');
    }
    for (const email of [undefined, '', 7, ['ann@example.com'], '\ud800']) {
      assert.equal(await it.saysOf({ email }), 'UNAUTHENTICATED');
    }
  });

  it('are known by new keys when the issuer has turned to them, and those by old ones no more', async () => {
    await using it = await Tried.start();
    const old = await it.issuer.token('ci');
    await it.issuer.rotate();
    assert.equal(await it.says(await it.issuer.token('ops')), 'ops');
    assert.equal(await it.says(old), 'UNAUTHENTICATED');
  });

  it('by keys that nobody knows do not have the issuer asked each time', async () => {
    await using it = await Tried.start({}, 60_000);
    for (let i = 0; i < 5; i++) {
      const token = await it.issuer.sign({}, await newKey(`made-up-${i}`, 'ES256'));
      assert.equal(await it.says(token), 'UNAUTHENTICATED');
    }
    assert.equal(it.issuer.keyFetches, 1);
  });

  it('go on being known while the issuer is gone; those by a key that is not known may come again', async () => {
    const it = await Tried.start();
    try {
      const known = await it.issuer.token('ci');
      const unknown = await it.issuer.sign({}, await newKey('key-of-tomorrow'));
      await it.issuer[Symbol.asyncDispose]();
      assert.equal(await it.says(known), 'ci');
      await assert.rejects(async () => await it.says(unknown), { code: 'AGENT_UNAVAILABLE', retryable: true });
    } finally {
      it.oidc[Symbol.dispose]();
    }
  });
});

describe('a router with an issuer', () => {
  it('holds owners apart, knows admins, and says who must show a token', async () => {
    await using issuer = await OidcIssuer.start();
    const auth = oidcConfigSchema.parse({
      ...{ mode: 'oidc', issuer: issuer.url, audience: AUDIENCE, adminGroups: ['admins'] },
    });
    await using it = await Harness.start(undefined, auth);
    const ci = bearer(await issuer.token('ci'));
    assert.equal((await it.call('POST', '/v1/sessions', { id: ids.a }, ci)).status, 201);
    const get = async (headers: Record<string, string>) =>
      (await it.call('GET', `/v1/sessions/${ids.a}`, undefined, headers)).status;
    assert.equal(await get(ci), 200);
    assert.equal(await get(bearer(await issuer.sign({ sub: 'bob' }))), 403);
    assert.equal(await get(bearer(await issuer.token('ops'))), 200);
    assert.equal(await get(bearer('nonsense')), 401);
    assert.equal(await get({}), 401);
  });

  it('is not ready before it has the keys', async () => {
    const issuer = await OidcIssuer.start();
    const auth = oidcConfigSchema.parse({ mode: 'oidc', issuer: issuer.url, audience: AUDIENCE });
    const token = bearer(await issuer.token('ci'));
    await issuer[Symbol.asyncDispose]();
    await using it = await Harness.start([], auth);
    assert.deepEqual((await it.call('GET', '/readyz')).body.code, 'WARMING');
    const refused = await it.call('GET', '/v1/pools', undefined, token);
    assert.deepEqual([refused.status, refused.body.code], [503, 'AGENT_UNAVAILABLE']);
  });
});
