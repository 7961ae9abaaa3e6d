import assert from 'node:assert/strict';
import { operatorConfigSchema } from '@replpool/operator';
import { parse, routerConfigSchema } from '@replpool/protocol';
import { parseAllDocuments, parse as parseYaml } from 'yaml';
import { type Manifest, read, snapshot, snapshots } from './files.ts';

const base = parseAllDocuments(read('deploy/kustomize/base/release.yaml')).map((it) => it.toJS() as Manifest);
const renderings: readonly (readonly [string, readonly Manifest[]])[] = [
  ...snapshots.map((name) => [`the chart, ${name}`, snapshot(name)] as const),
  ['deploy/kustomize/base', base],
];

interface Peer {
  readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

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

  for (const folder of ['.', 'overlays/example']) {
    it(`has the images that deploy/kustomize/${folder} names`, () => {
      const { images } = parseYaml(read(`deploy/kustomize/${folder}/kustomization.yaml`)) as {
        images: { name: string }[];
      };
      const text = read('deploy/kustomize/base/release.yaml');
      const inBase = [...text.matchAll(/image: "?([^":]+):/g)].map(([, name = '']) => name);
      assert.deepEqual(images.map(({ name }) => name).sort(), [...new Set(inBase)].sort());
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

  it('tests itself where only some may call the router', () => {
    const manifests = snapshot('everything') as (Manifest & { spec?: { ingress?: { from?: Peer[] }[] } })[];
    const [policy] = manifests.filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name.endsWith('router'),
    );
    const [test] = manifests.filter(({ kind, metadata }) => kind === 'Pod' && metadata.name.endsWith('-test'));
    const labels = test?.metadata.labels ?? {};
    const peers = policy?.spec?.ingress?.[0]?.from?.map(({ podSelector }) => podSelector?.matchLabels ?? {}) ?? [];
    assert.ok(peers.some((wanted) => Object.entries(wanted).every(([key, value]) => labels[key] === value)));
  });

  it('leaves out the alerts that are not wanted, and links the others', () => {
    const text = read('charts/test/snapshots/gateway-and-oidc.yaml');
    assert.ok(!text.includes('alert: ReplPoolHitRateLow'));
    assert.ok(text.includes('runbook_url: https://docs.example/replpool/alerts#replpoolexhausted'));
  });
});
