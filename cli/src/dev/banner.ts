export interface BannerFacts {
  readonly url: string;
  readonly pool: string;
  readonly agents: number;
  readonly capacity: number;
  readonly keys: boolean;
}

/** What stands in the terminal once sessions can be made. */
export function banner(facts: BannerFacts): string {
  const agents = facts.agents === 1 ? '1 agent' : `${facts.agents} agents`;
  const auth = facts.keys ? ' -H "authorization: Bearer $REPLPOOL_API_KEY"' : '';
  const json = ` -H 'content-type: application/json'${auth}`;
  return `
  ReplPool is up at ${facts.url}     pool ${facts.pool}, ${agents}, up to ${facts.capacity} sessions

  For development on this machine only, not for production: it listens on loopback${facts.keys ? '' : ', without authentication'},
  and code in a session runs as you. isolation.level is None: enforced are execution time, queue length, output and file
  descriptors, and memory, cpu and processes where you may make cgroups (a session's isolation.missing says what does not
  hold); missing are disk limits and the walls round files, network and other sessions.

  Try it:
    ID=$(curl -s ${facts.url}/v1/sessions -d '{}'${json} | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')
    curl -s ${facts.url}/v1/sessions/$ID/executions -d '{"code": "x = 41"}'${json}
    curl -s ${facts.url}/v1/sessions/$ID/executions -d '{"code": "x + 1"}'${json}

  or: npx replpool repl${facts.url.endsWith(':8080') ? '' : ` --url ${facts.url}`}     Ctrl-C ends everything
`;
}
