import assert from 'node:assert/strict';
import { operatorConfigSchema } from '@replpool/operator';
import { parse, routerConfigSchema } from '@replpool/protocol';
import { parseAllDocuments } from 'yaml';
import { type Manifest, read, snapshot, snapshots } from './files.ts';

const base = parseAllDocuments(read('deploy/kustomize/base/release.yaml')).map((it) => it.toJS() as Manifest);
const renderings: readonly (readonly [string, readonly Manifest[]])[] = [
  ...snapshots.map((name) => [`the chart, ${name}`, snapshot(name)] as const),
  ['deploy/kustomize/base', base],
];

const rulesOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ kind, metadata, rules = [] }) => rules.map((rule) => ({ kind, name: metadata.name, ...rule })));

describe('what is installed', () => {
  for (const [name, manifests] of renderings) {
    it(`has no wildcard among its rights, and no list of Secrets: ${name}`, () => {
      const rules = rulesOf(manifests);
      assert.ok(rules.length > 5);
      for (const { apiGroups, resources, verbs, ...of } of rules) {
        assert.ok(![...apiGroups, ...resources, ...verbs].includes('*'), JSON.stringify(of));
        const wide =
          resources.includes('secrets') && verbs.some((verb) => /^(list|watch|deletecollection)$/.test(verb));
        assert.ok(!wide, JSON.stringify(of));
      }
    });
  }

  for (const [name, manifests] of renderings.slice(0, -1)) {
    it(`has configurations that operator and router take: ${name}`, () => {
      const data = Object.assign({}, ...manifests.map((it) => it.data)) as Record<string, string>;
      parse(operatorConfigSchema, JSON.parse(data['operator.json'] ?? ''), 'operator.json');
      parse(routerConfigSchema, JSON.parse(data['router.json'] ?? ''), 'router.json');
    });
  }

  for (const folder of ['base', 'overlays/example']) {
    it(`has configurations that operator and router take: deploy/kustomize/${folder}`, () => {
      const config = (file: string): unknown => JSON.parse(read(`deploy/kustomize/${folder}/${file}`));
      parse(operatorConfigSchema, config('operator.json'), 'operator.json');
      parse(routerConfigSchema, config('router.json'), 'router.json');
    });
  }

  it('has no rights beyond two namespaces where one is watched and nobody is looked up', () => {
    const manifests = snapshot('one-namespace');
    assert.deepEqual(
      manifests.filter(({ kind }) => kind.startsWith('Cluster')),
      [],
    );
    const places = manifests.filter(({ kind }) => kind === 'Role').map(({ metadata }) => metadata.namespace);
    assert.deepEqual(new Set(places), new Set(['science', 'replpool-system']));
  });

  it('leaves out the alerts that are not wanted, and links the others', () => {
    const text = read('charts/test/snapshots/gateway-and-oidc.yaml');
    assert.ok(!text.includes('alert: ReplPoolHitRateLow'));
    assert.ok(text.includes('runbook_url: https://docs.example/replpool/alerts#replpoolexhausted'));
  });
});
