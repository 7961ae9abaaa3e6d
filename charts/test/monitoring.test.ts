import assert from 'node:assert/strict';
import { RequestMetrics } from '@replpool/kube';
import { QueueMetrics } from '@replpool/operator';
import { metrics } from '@replpool/protocol';
import { Registry } from 'prom-client';
import { parse } from 'yaml';
import { observeLeadership } from '../../operator/src/leader/leader-metrics.ts';
import { ReconcileMetrics } from '../../operator/src/queue/reconcile-metrics.ts';
import { alerts, filesOf, read } from './files.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly type: string; readonly definition?: string }[] };
}

const dashboards = filesOf('charts/replpool/dashboards').map(
  (name) => JSON.parse(read(`charts/replpool/dashboards/${name}`)) as Dashboard,
);

/** Every name under which Prometheus has what the code counts. */
function countedNames(): Set<string> {
  const registry = new Registry();
  new QueueMetrics(registry);
  new ReconcileMetrics(registry);
  new RequestMetrics(registry);
  observeLeadership(registry, 'test', () => false);
  const ofOperator = registry.getMetricsAsArray().map(({ name }) => ({ name, type: registry.getSingleMetric(name) }));
  const histograms = ofOperator.filter(({ type }) => type?.constructor.name === 'Histogram').map(({ name }) => name);
  const all = [...Object.values(metrics).map(({ name }) => name), ...ofOperator.map(({ name }) => name)];
  const ofProtocol = Object.values(metrics).filter(({ type }) => type === 'histogram');
  const parts = [...ofProtocol.map(({ name }) => name), ...histograms].flatMap((name) =>
    ['bucket', 'count', 'sum'].map((part) => `${name}_${part}`),
  );
  return new Set([...all, ...parts, 'up']);
}

const FUNCTIONS = new Set(
  'absent and by count histogram_quantile increase label_values max min offset or rate sum time unless vector'.split(
    ' ',
  ),
);

/** The metrics that a query names. */
function namesIn(query: string): string[] {
  const bare = query
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]|\b(by|on|offset)\s*(\([^)]*\)|\S+)/g, '')
    // The second argument of label_values is a label.
    .replace(/,\s*\w+\)$/, ')');
  return (bare.match(/[a-zA-Z_:][\w:]*/g) ?? []).filter((word) => !FUNCTIONS.has(word));
}

const counted = countedNames();
const unknownIn = (query: string): string[] => namesIn(query).filter((name) => !counted.has(name));

describe('the alerts', () => {
  it('ask only for metrics that there are', () => {
    for (const { alert, expr } of alerts()) {
      assert.ok(namesIn(expr).length > 0, alert);
      assert.deepEqual(unknownIn(expr), [], alert);
    }
  });

  it('say how bad it is, what it is, and more', () => {
    for (const { alert, labels, annotations } of alerts()) {
      assert.match(String(labels.severity), /^(critical|warning|info)$/, alert);
      assert.deepEqual(Object.keys(annotations).sort(), ['description', 'summary'], alert);
    }
  });

  it('are each explained by a section of docs/alerts.md, to which its runbook_url leads', () => {
    const sections = [...read('docs/alerts.md').matchAll(/^## (ReplPool\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(
      sections.sort(),
      alerts()
        .map(({ alert }) => alert)
        .sort(),
    );
  });

  it('each fire in a test', () => {
    const { tests } = parse(read('charts/test/alerts.test.yaml')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: object[] }[] }[];
    };
    const fired = tests.flatMap((test) => test.alert_rule_test).filter(({ exp_alerts }) => exp_alerts !== undefined);
    const names = new Set(fired.map(({ alertname }) => alertname));
    assert.deepEqual(
      [...names].sort(),
      alerts()
        .map(({ alert }) => alert)
        .sort(),
    );
  });
});

describe('the dashboards', () => {
  it('have names of their own', () => {
    assert.equal(new Set(dashboards.map(({ uid }) => uid)).size, dashboards.length);
    assert.equal(new Set(dashboards.map(({ title }) => title)).size, dashboards.length);
  });

  for (const { title, panels, templating } of dashboards) {
    it(`${title} asks only for metrics that there are, of the data source that is chosen`, () => {
      assert.ok(templating.list.some(({ type }) => type === 'datasource'));
      const queries = panels.flatMap(({ targets = [] }) => targets);
      assert.ok(queries.length > 0);
      const variables = templating.list.flatMap(({ definition }) => definition ?? []);
      const unknown = [...queries.map(({ expr }) => expr), ...variables].flatMap(unknownIn);
      assert.deepEqual(unknown, []);
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is Grafana's template.
      const chosen = '${datasource}';
      assert.deepEqual(new Set(queries.map(({ datasource }) => datasource.uid)), new Set([chosen]));
    });

    it(`${title} has no panel twice`, () => {
      assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
      assert.equal(new Set(panels.map((panel) => panel.title)).size, panels.length);
    });
  }
});
