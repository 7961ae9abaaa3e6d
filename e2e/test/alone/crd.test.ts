import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import {
  parse,
  REPLPOOL_API_VERSION,
  REPLPOOL_GROUP,
  REPLPOOL_KIND,
  REPLPOOL_VERSION,
  ReplPoolError,
  replPoolSchema,
} from '@replpool/protocol';
import { parseAllDocuments } from 'yaml';
import { customObjects, refusalOf } from '../support/cluster.ts';
import { applyCrd } from '../support/crd.ts';
import { kubectl, kubectlWith } from '../support/kubectl.ts';
import { wrongSpecs } from '../support/wrong-specs.ts';

interface CustomResource {
  readonly status: { readonly conditions: readonly { readonly type: string }[] };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const root = new URL('../../../', import.meta.url).pathname;

/** What the API server would store: all defaults filled in, nothing written. */
async function dryRun(pool: unknown): Promise<{ spec: unknown }> {
  const body = pool as object;
  const answer: unknown = await customObjects.createNamespacedCustomObject({
    ...{ group: REPLPOOL_GROUP, version: REPLPOOL_VERSION, plural: 'replpools', namespace: 'default', body },
    ...{ dryRun: 'All', fieldValidation: 'Strict' },
  });
  return answer as { spec: unknown };
}

/** Every object of every example, by the file that it is in. */
const examples = globSync(`${root}examples/**/*.yaml`)
  .toSorted()
  .flatMap((path) =>
    parseAllDocuments(readFileSync(path, 'utf8')).map(
      (it) => [path.slice(root.length), it.toJS() as Manifest] as const,
    ),
  );

const poolOf = (spec: unknown, name = 'crd-test') => ({
  apiVersion: REPLPOOL_API_VERSION,
  kind: REPLPOOL_KIND,
  metadata: { name },
  spec,
});

describe('the CRD', () => {
  before(applyCrd);

  it('has no violation of the rules for structural schemas', async () => {
    const crd = JSON.parse(await kubectl('get', 'crd/replpools.replpool.dev', '-o', 'json')) as CustomResource;
    assert.deepEqual(
      crd.status.conditions.filter(({ type }) => type === 'NonStructuralSchema'),
      [],
    );
  });

  it('is tried on the examples for a laptop and for a cluster', () => {
    const folders = new Set(examples.map(([path]) => path.slice(0, path.lastIndexOf('/'))));
    assert.deepEqual(folders, new Set(['examples', 'examples/cluster']));
  });

  for (const [path, object] of examples) {
    if (object.kind === REPLPOOL_KIND) {
      it(`takes ${path} and fills in the defaults that replpool dev fills in`, async () => {
        // Its namespace need not be there.
        const { namespace: _, ...metadata } = object.metadata;
        const { spec } = await dryRun({ ...object, metadata });
        assert.deepEqual(spec, JSON.parse(JSON.stringify(parse(replPoolSchema, object).spec)));
      });
    } else {
      it(`takes the ${object.kind} beside it in ${path}`, async () => {
        const options = ['--server-side', '--dry-run=server', '--field-manager=e2e', '-n', 'default', '-f', '-'];
        await kubectlWith(JSON.stringify(object), 'apply', ...options);
      });
    }
  }

  it('takes an empty spec', async () => {
    const { spec } = await dryRun(poolOf({}));
    assert.deepEqual(spec, JSON.parse(JSON.stringify(parse(replPoolSchema, poolOf({})).spec)));
  });

  it('takes names from which the names of all its objects can be made, and no others', async () => {
    await dryRun(poolOf({}, 'x'.repeat(49)));
    for (const name of ['x'.repeat(50), 'my.pool']) {
      const refused = await refusalOf(dryRun(poolOf({}, name)));
      assert.ok(refused?.message.includes('metadata.name'), refused?.message ?? `${name} is taken`);
      assert.throws(() => parse(replPoolSchema, poolOf({}, name)), /metadata\.name/);
    }
  });

  describe(`refuses ${wrongSpecs.length} wrong pools, names the field, and replpool dev says no other`, () => {
    for (const { wrong, spec, field } of wrongSpecs) {
      it(wrong, async () => {
        const refused = await refusalOf(dryRun(poolOf(spec)));
        assert.ok(refused !== undefined, 'the API server takes it');
        assert.ok(refused.code === 422 || refused.code === 400, `${refused.code}: ${refused.message}`);
        assert.ok(refused.message.includes(field), `${field} is not in: ${refused.message}`);
        assert.throws(
          () => parse(replPoolSchema, poolOf(spec)),
          (error) => error instanceof ReplPoolError && error.what.includes(field),
        );
      });
    }
  });
});
