// `node scripts/check-chart.mjs` checks the chart with Helm and its alerts with promtool; `--write` first brings what is made from it up to
// date: charts/test/snapshots and deploy/kustomize/base. What needs neither tool is in charts/test/*.test.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { findHelm, lint, root, template } from './chart/helm.mjs';
import { kustomizeBase } from './chart/kustomize-base.mjs';
import { findPromtool } from './chart/promtool.mjs';

const read = (path) => readFileSync(join(root, path), 'utf8');
const values = 'charts/test/values';
const cases = readdirSync(join(root, values)).map((file) => file.replace('.yaml', ''));

/** Values that must be refused, and what the refusal says. */
const refused = [
  [['auth.mode=none'], /auth\/mode|auth\.mode/],
  [['router.replica=2'], /replica/],
  [['auth.mode=oidc'], /oidc/],
  [['auth.mode=apiKeys'], /apiKeys/],
  [['router.ingress.enabled=true'], /ingress/],
  [['router.httpRoute.enabled=true'], /httpRoute/],
  [['operator.image.digest=latest'], /digest/],
  [['operator.cgroups=Runtime'], /cgroups/],
  [['operator.cgroups=Privileged'], /allowPrivileged/],
  [['image.registry='], /image\.registry .* is needed/],
];

function madeFiles(helm) {
  const snapshot = (name) => template(helm, 'replpool', 'replpool-system', ['-f', join(root, values, `${name}.yaml`)]);
  const snapshots = cases.map((name) => [`charts/test/snapshots/${name}.yaml`, snapshot(name)]);
  return { ...Object.fromEntries(snapshots), ...kustomizeBase(helm) };
}

function checkTemplates(helm) {
  for (const name of cases) lint(helm, ['-f', join(root, values, `${name}.yaml`)]);
  for (const [settings, message] of refused) {
    const set = ['image.registry=registry.example/replpool', ...settings].join(',');
    assert.throws(() => template(helm, 'replpool', 'replpool-system', ['--set', set]), message, set);
  }
}

/** What is put in as a whole file must come out as it was. */
function checkWholeFiles(helm) {
  const set = 'image.registry=registry.example/replpool,metrics.dashboards.enabled=true';
  const rendered = parseAllDocuments(template(helm, 'replpool', 'replpool-system', ['--set', set])).map((it) =>
    it.toJS(),
  );
  const crd = rendered.find(({ kind }) => kind === 'CustomResourceDefinition');
  assert.deepEqual(crd.spec, parse(read('crds/replpools.replpool.dev.yaml')).spec);
  assert.equal(crd.metadata.annotations['helm.sh/resource-policy'], 'keep');
  const maps = rendered.filter(({ metadata }) => metadata.name.includes('-dashboard-'));
  const shown = maps.flatMap(({ data }) => Object.entries(data));
  const dashboards = readdirSync(join(root, 'charts/replpool/dashboards')).sort();
  assert.deepEqual(shown.map(([name]) => name).sort(), dashboards);
  for (const [name, text] of shown)
    assert.deepEqual(JSON.parse(text), JSON.parse(read(`charts/replpool/dashboards/${name}`)));
}

function checkAlerts(promtool) {
  const options = { cwd: join(root, 'charts/test'), stdio: ['ignore', 'inherit', 'inherit'] };
  execFileSync(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', '../replpool/rules/alerts.yaml'], options);
  execFileSync(promtool, ['test', 'rules', 'alerts.test.yaml'], options);
}

const helm = findHelm();
if (helm === undefined) console.log('the templates: skipped, for there is neither Helm nor Go, which compiles it');
else {
  const made = Object.entries(madeFiles(helm));
  if (process.argv.includes('--write')) for (const [path, text] of made) writeFileSync(join(root, path), text);
  for (const [path, text] of made) {
    assert.equal(read(path), text, `${path} is not what the chart makes: node scripts/check-chart.mjs --write`);
  }
  checkTemplates(helm);
  checkWholeFiles(helm);
  console.log(`the templates: ${made.length} files are up to date, ${refused.length} wrong values are refused`);
}
const promtool = findPromtool();
if (promtool === undefined) console.log('the alerts: skipped, for promtool is not there, nor is apt-get, which has it');
else {
  checkAlerts(promtool);
  console.log('the alerts: promtool takes them, and each fires in its test');
}
