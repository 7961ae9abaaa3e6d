import assert from 'node:assert/strict';
import { knownSecrets } from '../src/cluster/report/known-secrets.ts';
import { MASK, masked } from '../src/cluster/report/mask.ts';
import { redacted } from '../src/cluster/report/redact.ts';

const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl';
const pem = `-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY\n-----END EC PRIVATE KEY-----`;

describe('the mask over the text of a report', () => {
  const secrets: [string, string, string][] = [
    ['a bearer token', 'GET / authorization: Bearer abcdef.123456', 'abcdef.123456'],
    ['a bearer token in the JSON of a log', '{"headers":{"authorization":"Bearer abcdef"}}', 'abcdef'],
    ['a bearer token in JSON within JSON', String.raw`{"msg":"{\"Authorization\":\"Bearer abcdef\"}"}`, 'abcdef'],
    ['a bearer token by itself', 'sent bearer abcdef123', 'abcdef123'],
    ['a password of basic authentication', 'Authorization=Basic bWU6cHc=', 'bWU6cHc='],
    ['a cookie', 'cookie: sid=abc; theme=dark', 'abc'],
    ['a JSON Web Token', `refused ${jwt} for it is over`, jwt],
    ['a private key', `read ${pem} from a file`, 'MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY'],
    ['the beginning of a private key', pem.slice(0, 60), 'MHcCAQEEIIrYSSNQFaA2Hwf1duRSx'],
    ['the password in a URL', 'index https://me:pa55@pypi.example/simple', 'pa55'],
    ['the token in a URL', 'git+https://tok3n@git.example/a.git', 'tok3n'],
    ['a token by its name', 'token=abc', 'abc'],
    ['a quoted secret with blanks', '{"clientSecret": "two words"}', 'two words'],
    ['a password in YAML', 'DB_PASSWORD: hunter2', 'hunter2'],
    ['a password in JSON within JSON', String.raw`{"msg":"{\"password\":\"hunter2\"}"}`, 'hunter2'],
    ['an API key in an argument', '--api-key=k1', 'k1'],
    ['a password in a sentence', 'the password is hunter2', 'hunter2'],
    ["an AWS key's id", 'as AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
    ['an AWS secret key by itself', 'used wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY once', 'bPxRfiCYEXAMPLEKEY'],
    ['a token of GitHub', 'ghp_0123456789abcdef0123456789abcdef0123', 'ghp_0123456789abcdef'],
    ['a random key in hexadecimal', 'key 0123456789abcdef0123456789abcdef', '0123456789abcdef'],
    [
      "an agent's token",
      'got kYv3mT0dXQ2b9FhJ7cLw5RzU8sPaNeGiB1oK6tMxVyE',
      'kYv3mT0dXQ2b9FhJ7cLw5RzU8sPaNeGiB1oK6tMxVyE',
    ],
  ];
  for (const [what, text, secret] of secrets) {
    it(`hides ${what}`, () => assert.equal(masked(text, []).includes(secret), false, masked(text, [])));
  }

  const harmless = [
    '2026-11-21T14:30:00.123Z {"level":30,"name":"operator","pod":"data-x7k2p","msg":"a pod was made"}',
    'image registry.example/agent@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    'uid 3f2b8c1e-5a77-4a0e-9f6f-2d1c0b9a8e7d of namespace replpool-system-with-a-very-long-name-7',
    'replpool_sessions{pool="team:data",state="idle"} 3',
    'secretName: replpool-pool-data-tls\nsecretKeyRef:\n  name: db\n  key: url\n',
    '    at reconcile (/opt/replpool/node_modules/@replpool/operator/dist/pool/reconcile2Pods.js:31:7)',
    'tokenFile=/var/run/token',
    'metadata:\n  token:\n  name: data\n',
  ];
  for (const text of harmless) it(`leaves ${text.slice(0, 40)}… as it is`, () => assert.equal(masked(text, []), text));

  it('hides what is known, in the forms that texts have it in', () => {
    const env = [{ name: 'A', value: 'say "hi" & go' }];
    const known = knownSecrets([{ spec: { runtime: { env } } }], new Set());
    const encoded = Buffer.from('say "hi" & go').toString('base64');
    const text = `say "hi" & go | ${JSON.stringify('say "hi" & go')} | say%20%22hi%22%20%26%20go | ${encoded}`;
    assert.equal(/hi|c2F5/.test(masked(text, known)), false, masked(text, known));
  });

  it('takes the whole of a secret though another one is its beginning', () => {
    const known = knownSecrets(
      [{ env: ['swordfish', 'swordfish-2'].map((value) => ({ name: 'A', value })) }],
      new Set(),
    );
    assert.equal(masked('swordfish-2 swordfish', known), `${MASK} ${MASK}`);
  });
});

describe('what is known to be secret', () => {
  const found = (object: unknown, names: string[] = []) => knownSecrets([object], new Set(names));

  it('are the values of variables, wherever the object has them', () => {
    assert.ok(found({ spec: { templates: [{ env: [{ name: 'A', value: 'swordfish' }] }] } }).includes('swordfish'));
  });

  it('are lines and strings of warm-up code', () => {
    const known = found({ spec: { runtime: { warmupCode: "import db\ndb.connect('swordfish')\n" } } });
    assert.ok(known.includes('swordfish'));
    assert.ok(known.includes("db.connect('swordfish')"));
  });

  it('is what an annotation says was applied before, and what a ConfigMap says of the revision before', () => {
    const spec = (value: string) => JSON.stringify({ spec: { runtime: { env: [{ name: 'A', value }] } } });
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': spec('swordfish-1') };
    assert.ok(found({ metadata: { annotations } }).includes('swordfish-1'));
    assert.ok(found({ kind: 'ConfigMap', data: { 'agent.json': spec('swordfish-2') } }).includes('swordfish-2'));
  });

  it('is not an ordinary word, a short number or the name of an object', () => {
    const env = ['true', 'info', '8080', 'python3', 'team', 'abc'].map((value) => ({ name: 'A', value }));
    assert.deepEqual(found({ env }, ['team']), []);
  });
});

describe('an object in a report', () => {
  const plain = (object: unknown) => redacted(object, (text) => text);

  it('keeps the names of variables and where their values come from, not the values', () => {
    const secretKeyRef = { name: 'db', key: 'url' };
    assert.deepEqual(
      plain({
        env: [
          { name: 'A', value: 'x' },
          { name: 'B', valueFrom: { secretKeyRef } },
        ],
      }),
      {
        env: [
          { name: 'A', value: MASK },
          { name: 'B', valueFrom: { secretKeyRef } },
        ],
      },
    );
  });

  it('says how long its warm-up code is, and no more', () => {
    assert.deepEqual(plain({ warmupCode: 'x = 1' }), { warmupCode: `${MASK} (5 characters)` });
    assert.deepEqual(plain({ warmupCode: '' }), { warmupCode: '' });
  });

  it('keeps the values of our own annotations alone', () => {
    const annotations = { 'replpool.dev/drain-until': '2026-01-01T00:00:00Z', note: 'x' };
    const without = { 'replpool.dev/drain-until': '2026-01-01T00:00:00Z', note: MASK };
    assert.deepEqual(plain({ metadata: { annotations, managedFields: [{}] } }), { metadata: { annotations: without } });
    assert.deepEqual(plain({ podTemplate: { annotations: { a: 'x' } } }), {
      podTemplate: { annotations: { a: MASK } },
    });
  });

  it('has no field that is named like a secret', () => {
    const config = {
      auth: { keys: [{ name: 'me', sha256: 'ab' }] },
      token: 'x',
      tls: { keyFile: '/k' },
      secretName: 's',
    };
    assert.deepEqual(plain(config), {
      auth: { keys: [{ name: 'me', sha256: MASK }] },
      ...{ token: MASK, tls: { keyFile: '/k' }, secretName: 's' },
    });
  });

  it('of a ConfigMap keeps the JSON of ours, itself redacted, and nothing else', () => {
    const data = { 'agent.json': '{"spec":{"env":[{"name":"A","value":"x"}]}}', note: 'x' };
    assert.deepEqual(plain({ kind: 'ConfigMap', data, binaryData: { b: 'eA==' } }), {
      kind: 'ConfigMap',
      data: { 'agent.json': { spec: { env: [{ name: 'A', value: MASK }] } }, note: MASK },
      binaryData: { b: MASK },
    });
  });
});
