import assert from 'node:assert/strict';
import { parse, replPoolSchema } from '@replpool/protocol';
import { parseAllDocuments } from 'yaml';
import { filesOf, type Manifest, read } from './files.ts';

const folder = 'examples/cluster';
const objects = filesOf(folder).flatMap((file) =>
  parseAllDocuments(read(`${folder}/${file}`)).map((document) => [file, document.toJS() as Manifest] as const),
);

describe('the examples for a cluster', () => {
  const pools = objects.filter(([, { kind }]) => kind === 'ReplPool');

  for (const [file, pool] of pools) {
    it(`have a pool that is accepted: ${file}`, () => {
      parse(replPoolSchema, pool);
    });
  }

  it('bind roles that the chart has', () => {
    const bindings = objects.map(([, object]) => object as Manifest & { roleRef?: { name: string } });
    const bound = bindings.flatMap(({ roleRef }) => roleRef?.name ?? []);
    const roles = parseAllDocuments(read('charts/test/snapshots/default.yaml')).map((it) => it.toJS() as Manifest);
    const names = roles.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name);
    assert.ok(bound.length > 0);
    assert.deepEqual(
      bound.filter((name) => !names.includes(name)),
      [],
    );
  });
});
