import assert from 'node:assert/strict';
import { matchPath, routes } from '../src/index.ts';

const session = '/v1/sessions/00000000-0000-4000-8000-00000000000a';

describe('the path of a request', () => {
  it('is found for every route, with the methods of all routes of that path', () => {
    for (const { path, method } of routes) {
      const found = matchPath(path.replaceAll(/\{\w+\}/g, 'x'));
      assert.equal(found?.path, path);
      assert.ok(found?.allow.includes(method.toUpperCase()), `${method} ${path}`);
    }
    assert.deepEqual(matchPath(session)?.allow, ['GET', 'HEAD', 'PATCH', 'DELETE']);
    assert.deepEqual(matchPath(`${session}/interrupt`)?.allow, ['POST']);
  });

  it('has slashes in the name of a file only', () => {
    assert.equal(matchPath(`${session}/files/a/b/c`)?.path, '/v1/sessions/{id}/files/{path}');
    assert.equal(matchPath(`${session}/files`)?.path, '/v1/sessions/{id}/files');
    assert.equal(matchPath(`${session}/variables/a/b`), undefined);
  });

  for (const path of [
    ...[
      '',
      '/',
      '/v1',
      '/v2',
      '/v1/sessions/',
      '/v1/pools//',
      '//v1/pools',
      '/V1/pools',
      '/healthz/',
      '*',
      'x/healthz',
      'xhealthz',
    ],
    ...[`${session}/`, `${session}/executions/`, `${session}/files/`, `${session}/nonsense`, `${session}/constructor`],
  ]) {
    it(`is nothing at ${JSON.stringify(path)}`, () => assert.equal(matchPath(path), undefined));
  }
});
