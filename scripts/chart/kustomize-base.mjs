// deploy/kustomize/base is the chart with its defaults, in kustomize's own words: what Helm alone knows is left out, and configurations are
// files, whose hash kustomize puts into the names that the Deployments refer to.
import { parseAllDocuments, visit } from 'yaml';
import { template } from './helm.mjs';

export const BASE = 'deploy/kustomize/base';
const NOTICE = '# Made from charts/replpool by `node scripts/check-chart.mjs --write`. Do not edit.\n';
const HELMS_OWN = new Set(['helm.sh/chart', 'app.kubernetes.io/managed-by', 'checksum/config']);

/** Every file of the base that is made, by its path from the repository's root. */
export function kustomizeBase(helm) {
  const values = ['--set', 'image.registry=registry.example/replpool,crds.install=false', '--skip-tests'];
  const documents = parseAllDocuments(template(helm, 'replpool', 'replpool-system', values));
  const isConfig = (document) => document.get('kind') === 'ConfigMap';
  const configs = documents.filter(isConfig).flatMap((document) => Object.entries(document.toJS().data));
  const others = documents.filter((document) => !isConfig(document)).map(withoutHelm);
  return {
    [`${BASE}/release.yaml`]: NOTICE + others.join('---\n'),
    ...Object.fromEntries(configs.map(([name, text]) => [`${BASE}/${name}`, text])),
  };
}

function withoutHelm(document) {
  document.commentBefore = null;
  visit(document, {
    Pair(_, pair) {
      if (HELMS_OWN.has(pair.key?.value)) return visit.REMOVE;
      // The Lease is called as the operator's ConfigMap is, and kustomize would give the hash to its name in the Role too.
      if (pair.key?.value === 'configMap') pair.value.set('name', `${pair.value.get('name')}-config`);
    },
  });
  return document.toString({ directives: false, lineWidth: 0 }).replace(/^---\n/, '');
}
