import assert from 'node:assert/strict';
import { fromCluster } from '../src/dev/from-cluster.ts';
import { parsePool, readPool } from '../src/dev/pool-file.ts';
import { unenforced } from '../src/dev/unenforced.ts';
import { CommandFailure, ExitCode } from '../src/failure.ts';

const head = 'apiVersion: replpool.dev/v1alpha1\nkind: ReplPool\nmetadata: {name: p}\n';

function refusal(text: string): string {
  try {
    parsePool(text, 'pool.yaml');
  } catch (error) {
    assert.ok(error instanceof CommandFailure);
    assert.equal(error.exitCode, ExitCode.wrongUse);
    return error.message;
  }
  assert.fail('it was accepted');
}

describe('a ReplPool file', () => {
  it('is served with every default filled in', () => {
    const { spec } = parsePool(head, 'pool.yaml');
    assert.equal(spec.sessions.maxPerPod, 32);
    assert.equal(spec.isolation.level, 'None');
  });

  it('names an unknown field and its line', () => {
    assert.match(
      refusal(`${head}spec:\n  replicas: 1\n  sessions:\n    maxPerPods: 3\n`),
      /pool\.yaml:7: spec\.sessions\.maxPerPods: no such/,
    );
  });

  it('names a field of the wrong type and its line', () => {
    assert.match(refusal(`${head}spec:\n  replicas: two\n`), /pool\.yaml:5: spec\.replicas: /);
  });

  it('names the item of a list', () => {
    assert.match(
      refusal(`${head}spec:\n  runtime:\n    preload:\n    - numpy\n    - 'not a module'\n`),
      /pool\.yaml:8: spec\.runtime\.preload\[1\]: /,
    );
  });

  it('names a missing field', () => {
    assert.match(refusal('apiVersion: replpool.dev/v1alpha1\nkind: ReplPool\nmetadata: {}\n'), /metadata\.name: /);
  });

  it('tells all that is wrong at once', () => {
    const message = refusal(`${head}spec:\n  replicas: two\n  pause: true\n`);
    assert.match(message, /spec\.replicas/);
    assert.match(message, /spec\.pause/);
  });

  it('says where the YAML breaks', () => {
    assert.match(refusal('a: [1\nb: 2\n'), /line \d/);
  });

  it('that is empty or is no map is refused', () => {
    assert.match(refusal(''), /pool\.yaml:1: the document: /);
    assert.match(refusal('- 1\n'), /the document: /);
  });

  it('that does not exist is wrong use', async () => {
    await assert.rejects(readPool('/does/not/exist.yaml'), { exitCode: ExitCode.wrongUse });
  });

  it('is the first example by default', async () => {
    const { pool } = await readPool(undefined);
    assert.equal(pool.metadata.name, 'default');
    assert.equal(pool.spec.sessions.maxPerPod, 128);
  });

  it('that asks for walls which nothing enforces is named', () => {
    const asks = (spec: string): string | undefined => unenforced(parsePool(`${head}spec:\n  ${spec}\n`, 'pool.yaml'));
    assert.equal(asks('replicas: 1'), undefined);
    assert.equal(asks('isolation: {level: Baseline}'), 'spec.isolation.level: Baseline');
    assert.equal(asks('isolation: {cgroups: Delegate}'), 'spec.isolation.cgroups: Delegate');
    assert.equal(asks('network: {egress: Rules}'), 'spec.network.egress: Rules');
  });

  it('whose variables must come from a Secret or ConfigMap is named', () => {
    const asks = (spec: string): string | undefined => fromCluster(parsePool(`${head}spec:\n  ${spec}\n`, 'pool.yaml'));
    const ref = (optional: boolean) => `{name: A, valueFrom: {secretKeyRef: {name: s, key: k, optional: ${optional}}}}`;
    assert.equal(asks('runtime: {env: [{name: A, value: "1"}]}'), undefined);
    assert.equal(asks(`runtime: {env: [${ref(true)}], envFrom: [{secretRef: {name: s, optional: true}}]}`), undefined);
    assert.equal(asks(`runtime: {env: [${ref(false)}]}`), 'spec.runtime.env: A');
    assert.equal(asks('runtime: {envFrom: [{configMapRef: {name: c}}]}'), 'spec.runtime.envFrom[0]');
    assert.equal(asks(`templates: [{name: t, env: [${ref(false)}]}]`), 'env of template t: A');
  });
});
