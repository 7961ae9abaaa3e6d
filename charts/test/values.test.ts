import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { readmeWithTable, valuesOf } from '../../scripts/values-table.mjs';
import { read } from './files.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

const values = valuesOf(read('charts/replpool/values.yaml'));
const schema = JSON.parse(read('charts/replpool/values.schema.json')) as Schema;

/** The paths of all values that the schema knows. */
function known(node: Schema, path: string): string[] {
  const target = node.$ref ? (schema.definitions?.[node.$ref.split('/').at(-1) ?? ''] ?? {}) : node;
  if (!target.properties) return [path];
  assert.equal(target.additionalProperties, false, `${path} takes what it does not know`);
  return Object.entries(target.properties).flatMap(([key, each]) => known(each, path === '' ? key : `${path}.${key}`));
}

describe('the values of the chart', () => {
  it('are all explained', () => {
    const silent = values.filter(({ comment }) => comment === '');
    assert.deepEqual(silent, []);
  });

  it('stand in the README as they are: node scripts/values-table.mjs', () => {
    const readme = read('charts/replpool/README.md');
    assert.equal(readme, readmeWithTable(readme, values));
  });

  it('are those that the schema knows, no more and no less', () => {
    // What a pod needs is one value, whatever is in it.
    const ofValues = values.map(({ key }) => key.replace(/\.resources\..*/, '.resources'));
    const ofSchema = known(schema, '').filter((path) => path !== 'global');
    assert.deepEqual([...new Set(ofValues)].sort(), ofSchema.sort());
  });
});

describe('the chart', () => {
  it('has the version of the project', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    const chart = parse(read('charts/replpool/Chart.yaml')) as { version: string; appVersion: string };
    assert.deepEqual([chart.version, chart.appVersion], [version, version]);
  });
});
