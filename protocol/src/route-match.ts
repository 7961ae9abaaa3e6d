import { type Route, routes } from './routes.ts';

/** A path of the API with all that it answers to. */
export interface MatchedPath {
  /** As `routes` has it, with its parameters in braces. */
  readonly path: string;
  /** The methods that it has, as `Allow` says them; HEAD wherever GET is. */
  readonly allow: readonly string[];
  /** Whether it is served without credentials. */
  readonly open: boolean;
}

/** One segment further into the paths. */
interface Step {
  readonly named: Map<string, Step>;
  any?: Step;
  /** What a path that ends here is. */
  end?: MatchedPath;
  /** What a path is that has anything more, slashes too. */
  rest?: MatchedPath;
}

const newStep = (): Step => ({ named: new Map() });
const root = newStep();

for (const [path, ofPath] of Map.groupBy(routes, (route) => route.path)) {
  const matched: MatchedPath = { path, allow: allowOf(ofPath), open: ofPath.some((route) => route.open === true) };
  let step = root;
  let isRest = false;
  for (const segment of path.slice(1).split('/')) {
    isRest = segment === '{path}';
    if (isRest) break;
    if (segment.startsWith('{')) {
      step.any ??= newStep();
      step = step.any;
    } else {
      const next = step.named.get(segment) ?? newStep();
      step.named.set(segment, next);
      step = next;
    }
  }
  step[isRest ? 'rest' : 'end'] = matched;
}

function allowOf(ofPath: readonly Route[]): string[] {
  return ofPath.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]));
}

/** The path of the API that a request's path (without its query) is; undefined: nothing is served there. */
export function matchPath(path: string): MatchedPath | undefined {
  let step: Step = root;
  let from = path.startsWith('/') ? 1 : path.length;
  for (;;) {
    if (step.rest !== undefined) return from < path.length ? step.rest : undefined;
    const slash = path.indexOf('/', from);
    const segment = slash === -1 ? path.slice(from) : path.slice(from, slash);
    const next: Step | undefined = step.named.get(segment) ?? (segment === '' ? undefined : step.any);
    if (next === undefined) return undefined;
    if (slash === -1) return next.end;
    step = next;
    from = slash + 1;
  }
}
