import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { replPoolCrd } from '../src/crd.ts';
import { generatedFiles } from '../src/generated-files.ts';
import { openApiDocument, routes } from '../src/index.ts';
import type { SchemaNode } from '../src/json-schema.ts';

const root = new URL('../../', import.meta.url);

function nodesOf(value: unknown): SchemaNode[] {
  if (typeof value !== 'object' || value === null) return [];
  const inside = Object.values(value).flatMap(nodesOf);
  return Array.isArray(value) ? inside : [value as SchemaNode, ...inside];
}

describe('the generated files', () => {
  for (const [path, text] of Object.entries(generatedFiles())) {
    it(`${path} is what \`npm run generate\` writes now`, () => {
      assert.equal(readFileSync(new URL(path, root), 'utf8'), text);
    });
  }
});

describe('openapi.json', () => {
  const document = openApiDocument();
  const text = JSON.stringify(document);

  it('refers only to schemas that it has', () => {
    const { schemas } = document.components as { schemas: Record<string, unknown> };
    const names = Array.from(text.matchAll(/"#\/components\/schemas\/(\w+)"/g), ([, name]) => String(name));
    assert.deepEqual(
      names.filter((name) => !Object.hasOwn(schemas, name)),
      [],
    );
    assert.ok(names.includes('Limits') && names.includes('Execution') && names.includes('Problem'));
  });

  it('has no path twice and no operation id twice', () => {
    assert.equal(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size, routes.length);
    assert.equal(new Set(routes.map(({ id }) => id)).size, routes.length);
  });

  it('says nothing of features that do not exist yet', () => {
    const later = /checkpoints|restore\b/;
    assert.deepEqual(
      Object.keys(document.paths as object).filter((path) => later.test(path)),
      [],
    );
  });
});

describe('the CRD', () => {
  const nodes = nodesOf(replPoolCrd());

  it('is structural: no additionalProperties false or anything, no anyOf, no exclusive dialect', () => {
    for (const keyword of ['anyOf', 'oneOf', '$ref', '$schema', 'const', 'nullable']) {
      assert.deepEqual(
        nodes.filter((node) => Object.hasOwn(node, keyword)),
        [],
        keyword,
      );
    }
    assert.equal(
      nodes.some((node) => node.additionalProperties === false),
      false,
    );
  });

  it('has patterns that Go understands (no lookaround)', () => {
    const patterns = nodes.map((node) => node.pattern).filter((it) => typeof it === 'string');
    assert.ok(patterns.length > 0);
    assert.deepEqual(
      patterns.filter((pattern) => /\(\?[=!<]/.test(pattern)),
      [],
    );
  });

  it('carries the rules between fields, and that for names, in CEL', () => {
    const rules = nodes.flatMap((node) => (typeof node.rule === 'string' ? [node.rule] : []));
    assert.ok(rules.includes('self.minReplicas <= self.maxReplicas'));
    assert.ok(rules.some((rule) => rule.includes('self.metadata.name')));
    assert.equal(rules.length, 9);
  });
});
